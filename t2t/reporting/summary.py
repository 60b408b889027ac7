"""The end of a run on one page: metrics per task, real predictions, and what to type next."""

import shlex
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest

from rich.console import Console
from rich.table import Table

from t2t.evaluation.evaluator import TaskResult


def print_results(results: Mapping[str, TaskResult], *, title: str) -> None:
    """Prints the metrics of each task, each with its trivial baseline."""
    table = Table(title=title, title_justify="left")
    table.add_column("task")
    for column in ("examples", "metric", "model", "baseline", "baseline is"):
        table.add_column(column, justify="left" if column in ("metric", "baseline is") else "right")
    for task, result in results.items():
        first = True
        for metric, value in result.metrics.items():
            baseline, what = _baseline(metric, result.baselines)
            head = (task, f"{result.num_examples:,}") if first else ("", "")
            table.add_row(*head, metric, f"{value:.4f}", baseline, what)
            first = False
        table.add_section()
    Console().print(table)


def _baseline(metric: str, baselines: Mapping[str, float]) -> tuple[str, str]:
    if metric == "loss" and "unigram_loss" in baselines:
        return f"{baselines['unigram_loss']:.4f}", "token frequencies"
    if metric in baselines:
        return f"{baselines[metric]:.4f}", "the task's own rule"
    return "", ""


def print_predictions(results: Mapping[str, TaskResult], count: int = 10) -> None:
    """Prints the first predictions of each decoded task in turn, right or wrong."""
    per_task = [result.predictions[:count] for result in results.values() if result.predictions]
    mixed = [record for record in chain(*zip_longest(*per_task)) if record][:count]
    if not mixed:
        return
    table = Table(title=f"{len(mixed)} predictions on held-out examples", title_justify="left")
    for column in ("inputs", "target", "prediction", ""):
        table.add_column(column)
    for record in mixed:
        right = record["prediction"] == record["targets"]
        table.add_row(
            *(_plain(record[key]) for key in ("inputs", "targets", "prediction")),
            "[green]ok[/]" if right else "[red]wrong[/]",
        )
    Console().print(table)


def print_next_commands(
    model_dir: str, results: Mapping[str, TaskResult], gin_files: Sequence[str], longer: str
) -> None:
    """Prints the commands to use, evaluate, prolong and fine-tune what was trained."""
    examples = [r.predictions[0]["inputs"] for r in results.values() if r.predictions]
    example = shlex.quote(examples[0]) if examples else "'...'"
    folder = shlex.quote(model_dir)
    files = " ".join(f"--gin_file={shlex.quote(file)}" for file in gin_files)
    finetune = "finetune_spelling.gin" if "quickstart.gin" in gin_files else "YOUR.gin"
    lines = [
        ("use it", f"echo {example} | t2t infer --model_dir {folder}"),
        ("evaluate it", f"t2t eval --model_dir {folder}"),
        ("go on", f"t2t train {files} --model_dir {folder} {longer}"),
        ("fine-tune", f"t2t train --gin_file={finetune} --gin.INIT_FROM=\"'{model_dir}'\""),
    ]
    print("\nTo go on:")
    for what, command in lines:
        print(f"  {what:12} {command}")


def _plain(text: str, limit: int = 60) -> str:
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return shown.replace("[", "\\[")
