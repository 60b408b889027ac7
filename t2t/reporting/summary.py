"""The end of a run on one page: metrics per task, real predictions, and what to type next."""

import json
import shlex
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

from rich.table import Table
from rich.text import Text

from t2t.evaluation.benchmarks import benchmark_averages
from t2t.evaluation.results import TaskResult, flat_metrics
from t2t.reporting.consoles import print_table

_EXACT = ("exact_match", "em", "accuracy", "sequence_accuracy")
"""Metrics that are 0 where a prediction is wrong, and only there."""


def print_results(results: Mapping[str, TaskResult], *, title: str) -> None:
    """Prints the metrics of each task, with 95% confidence intervals and trivial baselines."""
    table = Table(title=title, title_justify="left")
    table.add_column("metric", no_wrap=True)
    for name in ("model", "95 % interval", "baseline"):
        table.add_column(name, justify="right", no_wrap=True)
    for task, result in results.items():
        examples = f"{task} ({result.num_examples:,} examples)"
        table.add_row(Text(examples, "bold"), "" if result.metrics else "no targets")
        for metric, value in result.metrics.items():
            interval = Text(str(result.intervals.get(metric, "")))
            baseline = _baseline(metric, result.baselines)
            table.add_row(f"  {metric}", f"{value:.3f}", interval, baseline)
        table.add_section()
    print_table(table)


def print_averages(results: Mapping[str, TaskResult]) -> None:
    """Prints the averages of the benchmarks that are complete."""
    for name, value in benchmark_averages(flat_metrics(results)).items():
        print(f"{name}: {value:.3f}")


def print_one_line(step: int, results: Mapping[str, TaskResult]) -> None:
    """Prints the metrics of one of several steps."""
    metrics = "  ".join(f"{name} {x:.3f}" for name, x in flat_metrics(results).items())
    print(f"step {step}: {metrics}", flush=True)


def print_steps(by_step: Mapping[int, Mapping[str, TaskResult]], *, title: str) -> None:
    """Prints a table for each task: a row for each step, a column for each metric."""
    for task in dict.fromkeys(task for results in by_step.values() for task in results):
        rows = {step: results[task] for step, results in by_step.items() if task in results}
        names = list(dict.fromkeys(name for row in rows.values() for name in row.metrics))
        table = Table(title=f"{title}: {task}", title_justify="left")
        for name in ("step", *names):
            table.add_column(name, justify="right", no_wrap=True)
        for step, row in rows.items():
            cells = [f"{row.metrics[n]:.3f}" if n in row.metrics else "" for n in names]
            table.add_row(str(step), *cells)
        print_table(table)


def _baseline(metric: str, baselines: Mapping[str, float]) -> str:
    """The same metric of a trivial model: token frequencies, or the task's own."""
    if metric == "loss" and "unigram_loss" in baselines:
        return f"unigram {baselines['unigram_loss']:.3f}"
    return f"{baselines[metric]:.3f}" if metric in baselines else ""


def print_predictions(results: Mapping[str, TaskResult], count: int = 10) -> None:
    """Prints predictions spread evenly over each decoded task, right or wrong."""
    per_task = [_spread(r.predictions, count) for r in results.values() if r.predictions]
    mixed = [record for record in chain(*zip_longest(*per_task)) if record][:count]
    if not mixed:
        return
    table = Table(title=f"{len(mixed)} predictions on held-out examples", title_justify="left")
    for column in ("inputs", "target", "prediction", ""):
        table.add_column(column)
    for record in mixed:
        verdict = "[green]ok[/]" if _is_right(record) else "[red]wrong[/]"
        table.add_row(
            *(_plain(record.get(key, "")) for key in ("inputs", "targets", "prediction")),
            verdict if "targets" in record else "",
        )
    print_table(table)


def _is_right(record: Mapping[str, Any]) -> bool:
    """Whether the texts are equal, or a metric of the task says that both mean the same."""
    known = record.get("metrics", {})
    return record["prediction"] == record.get("targets") or any(known.get(x) for x in _EXACT)


def _spread(records: Sequence[Mapping[str, str]], count: int) -> list[Mapping[str, str]]:
    step = max(len(records) // count, 1)
    return list(records[step // 2 :: step])


def print_next_commands(
    model_dir: str,
    results: Mapping[str, TaskResult],
    gin_files: Sequence[str],
    longer: str,
    *,
    generates: bool,
) -> None:
    """Prints the commands to use (if it `generates`), evaluate, prolong and fine-tune a model."""
    examples = [_spread(r.predictions, 1)[0] for r in results.values() if r.predictions]
    example = shlex.quote(_as_input(examples[0])) if examples else "'...'"
    folder = shlex.quote(model_dir)
    config = shlex.quote(f"{model_dir}/config.gin")  # has what the command line bound, too
    finetune = "finetune_spelling.gin" if "quickstart.gin" in gin_files else "YOUR.gin"
    use = [("use it", f"echo {example} | t2t infer --model_dir {folder}")] if generates else []
    lines = [
        *use,
        ("evaluate it", f"t2t eval --model_dir {folder}"),
        ("go on", f"t2t train --gin_file={config} {longer}"),
        ("fine-tune", f"t2t train --gin_file={finetune} --gin.INIT_FROM=\"'{model_dir}'\""),
    ]
    print("\nTo go on:")
    for what, command in lines:
        print(f"  {what:12} {command}")


def _as_input(prediction: Mapping[str, str]) -> str:
    """A line for `t2t infer`."""
    if "pair" not in prediction:
        return prediction["inputs"]
    record = {name: prediction[name] for name in ("inputs", "pair")}
    return json.dumps(record, ensure_ascii=False)


def _plain(text: str, limit: int = 60) -> str:
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return shown.replace("[", "\\[")
