"""Loss, decoded metrics and predictions of a model on every task of a mixture."""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import SequenceLength
from t2t.data.heads import with_rows
from t2t.data.metric_kinds import MetricKind
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.decoding.decoding import Decoding
from t2t.errors import UserError, described
from t2t.evaluation.baselines import unigram_loss
from t2t.evaluation.confidence import Interval, bootstrap_interval
from t2t.evaluation.predictions import make_predictions, predicts
from t2t.evaluation.task_metrics import Outputs, metric_kinds, task_metrics
from t2t.evaluation.term_metrics import term_metrics
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, Params
from t2t.training.host_rows import HostRows
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.partitioning import check_batch_size
from t2t.training.step import make_eval_step

_SHOWN = ("inputs", "pair", "targets")


@dataclasses.dataclass(frozen=True)
class EvalPolicy:
    """When and on what to evaluate.

    Attributes:
      every: training steps between evaluations; the last step is always evaluated.
      split: of each task; tasks without it are left out.
      num_examples: at most this many per task, evenly spread over the split; None for all.
      batch_size: rows at a time.
      decoding: how to generate; None for greedily.
      max_decode_length: most tokens to generate; None for as many as `decoding` says or, without
        it, the targets' sequence length.
    """

    every: int = 1000
    split: str = "validation"
    num_examples: int | None = 1000
    batch_size: int = 128
    max_decode_length: int | None = None
    decoding: Decoding | None = None

    def __post_init__(self):
        for name in ("every", "num_examples", "batch_size", "max_decode_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"EvalPolicy.{name} must be at least 1, got {value}.")

    def decoding_of(self, sequence_length: SequenceLength) -> Decoding:
        """How to generate for tasks of these lengths."""
        if self.decoding is None:
            return Decoding(max_length=self.max_decode_length or sequence_length.get("targets", 1))
        length = self.max_decode_length or self.decoding.max_length
        return dataclasses.replace(self.decoding, max_length=length)


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """What one task scored.

    Attributes:
      num_examples: rows evaluated.
      metrics: "loss" (nats per target token) and "token_accuracy" of the loss's main term,
        "<term>_loss" and "<term>_accuracy" of others, each if it has any items, and the task's own
        metrics.
      baselines: "unigram_loss", and the task's own metrics for its trivial rule, if it has one.
      predictions: {"inputs", "targets", "prediction"} per example; empty if not decoded.
      intervals: 95% confidence intervals of those metrics that are means over examples.
    """

    num_examples: int
    metrics: Mapping[str, float]
    baselines: Mapping[str, float]
    predictions: tuple[Mapping[str, Any], ...]
    intervals: Mapping[str, Interval] = dataclasses.field(default_factory=dict)


class Evaluator:
    """Evaluates parameters on fixed sets of examples. Compiles once per task and kind of work.

    Models that generate are asked for predictions, too, where a task has metrics for them; the
    others, but for heads of labels, for loss and token accuracy alone.

    Each of several processes reads, scores and decodes a share of the examples. What it found goes
    to all, in order, so that metrics are the same on all and for any number of processes.
    """

    def __init__(
        self,
        model: Model,
        mesh: Mesh,
        task_or_mixture: Task | Mixture,
        sequence_length: SequenceLength,
        policy: EvalPolicy,
        seed: int = 0,
        converter: FeatureConverter | None = None,
        loss: TrainingLoss = Loss(),  # noqa: B008 (frozen)
        rules: AxisRules = AxisRules(),  # noqa: B008
    ):
        """Raises UserError if no task has the split, or the mesh does not divide the batch size.

        Also if a task has metrics of (targets, predictions, aux_values): there are none to give.
        """
        check_batch_size(policy.batch_size, mesh)
        loss.check(model.config, task_or_mixture)
        self._model, self._policy, self._seed = model, policy, seed
        self._hosts = HostRows(mesh)
        tasks = leaf_tasks(with_rows(task_or_mixture, loss.rows(model.config, task_or_mixture)))
        converter = converter or loss.converter(model.config, task_or_mixture, pack=False)
        unpacked = dataclasses.replace(converter, pack=False)

        def evaluation_set(task: Task, split: str, most: int | None) -> EvaluationSet:
            share = self._hosts.share
            return EvaluationSet(task, split, sequence_length, most, seed, unpacked, share)

        self._sets = {
            task.name: evaluation_set(task, policy.split, policy.num_examples)
            for task in tasks
            if policy.split in task.splits
        }
        self._train_sets = {
            task.name: evaluation_set(task, "train", 4096)
            for task in tasks
            if "train" in task.splits
        }
        self._kinds = {
            name: metric_kinds(s.task)
            - (set() if predicts(model.config, loss, s.task) else {"predict"})
            for name, s in self._sets.items()
        }
        if not self._sets:
            raise UserError(
                f"No task of '{task_or_mixture.name}' has a split '{policy.split}' to evaluate: "
                + "; ".join(f"{t.name} has {', '.join(t.splits)}" for t in tasks)
                + ". Name one of those (EvalPolicy.split in gin, --split of `t2t eval`), or make "
                "one of another with SplitDataSource."
            )
        self._score = make_eval_step(model, mesh, loss, rules)
        self._predicts_tokens = loss.predicts_tokens
        if any("predict" in kinds for kinds in self._kinds.values()):
            decoding = policy.decoding_of(sequence_length)
            self._predictions = make_predictions(
                model, mesh, loss, task_or_mixture, decoding, sequence_length, rules
            )

    def evaluate(self, params: Params) -> dict[str, TaskResult]:
        """Returns the result of each task."""
        return {name: self._evaluate_task(name, params) for name in self._sets}

    def _evaluate_task(self, name: str, params: Params) -> TaskResult:
        examples = self._sets[name]
        sums = self._score_rows(examples, params)
        metrics, intervals = term_metrics(sums, self._seed)
        predictions: tuple[Mapping[str, Any], ...] = ()
        if self._kinds[name]:
            outputs: dict[MetricKind, Sequence[Any]] = {"score": (-sums["loss"]).tolist()}
            if "predict" in self._kinds[name]:
                decoded = self._predictions.predict(params, examples, self._policy.batch_size)
                outputs["predict"] = self._all(name, self._postprocess(name, decoded))
                shown = [
                    {n: text[n] for n in _SHOWN if n in text} | {"prediction": prediction}
                    for text, prediction in zip(self._texts[name], decoded, strict=True)
                ]
                predictions = tuple(self._all(name, shown))
            own, values = task_metrics(examples.task, self._targets[name], outputs)
            metrics |= own
            intervals |= {n: bootstrap_interval(v, self._seed) for n, v in values.items()}
        return TaskResult(len(sums["loss"]), metrics, self._baselines[name], predictions, intervals)

    def _score_rows(self, examples: EvaluationSet, params: Params) -> dict[str, np.ndarray]:
        """Float64 `[examples]`: what `make_eval_step` sums over each one's targets."""
        if not len(examples):
            raise UserError(
                f"Task '{examples.task.name}': of the split '{examples.split}', preprocessing left "
                f"no examples to evaluate."
            )
        size = self._policy.batch_size
        batches = [
            jax.device_get(self._score(params, self._hosts.on_devices(batch)))
            for batch in examples.batches(size)
        ]
        places = self._hosts.places(examples.numbers, size)
        order = np.argsort(places)[-len(examples) :]  # -1 are rows that only fill a batch up
        return {
            name: np.concatenate([b[name] for b in batches])[order].astype(float)
            for name in batches[0]
        }

    def _all(self, name: str, items: Sequence[Any]) -> list[Any]:
        """What the processes have for their examples, in order, on all of them."""
        return self._hosts.in_order(self._sets[name].numbers, items)

    def _postprocess(self, name: str, predictions: list[str]) -> list[Any]:
        task, texts = self._sets[name].task, self._texts[name]
        with task.named_errors():
            return [
                task.postprocess(prediction, example, is_target=False)
                for prediction, example in zip(predictions, texts, strict=True)
            ]

    @functools.cached_property
    def _texts(self) -> dict[str, list[Example]]:
        return {
            name: [_as_texts(example, s.task) for example in s.texts()]
            for name, s in self._sets.items()
            if self._kinds[name]
        }

    @functools.cached_property
    def _targets(self) -> dict[str, list[Any]]:
        """What metrics compare with; postprocessors find "targets_length", in tokens, too."""
        found = {}
        for name, texts in self._texts.items():
            task, tokens = self._sets[name].task, self._sets[name].examples
            with task.named_errors():
                own = [
                    task.postprocess(
                        text["targets"],
                        {**text, "targets_length": len(t["targets"])},
                        is_target=True,
                    )
                    for text, t in zip(texts, tokens, strict=True)
                ]
            found[name] = self._all(name, own)
        return found

    @functools.cached_property
    def _baselines(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        vocab_size = self._model.config.vocab_size
        for name, examples in self._sets.items():
            found[name] = {}
            if self._predicts_tokens and name in self._train_sets:
                train = self._train_sets[name]
                loss = unigram_loss(train, examples, vocab_size)
                found[name] |= {} if loss is None else {"unigram_loss": loss}
            if examples.task.baseline_fn and "predict" in self._kinds[name]:
                rule = examples.task.baseline_fn
                try:
                    guesses = [rule(text["inputs"]) for text in self._texts[name]]
                except Exception as error:
                    raise UserError(
                        f"Task '{name}': baseline_fn failed: {described(error)}"
                    ) from error
                answers = self._all(name, self._postprocess(name, guesses))
                outputs: Outputs = {"predict": answers}
                found[name] |= task_metrics(examples.task, self._targets[name], outputs)[0]
        return found


def _as_texts(example: Example, task: Task) -> Example:
    """The example with "inputs" and "targets" as text, also where preprocessing left tokens."""
    texts = {}
    for name in ("inputs", "targets"):
        value = example.get(f"{name}_pretokenized", example.get(name, ""))
        if not isinstance(value, str):
            value = task.output_features[name].vocabulary.decode(value)
        texts[name] = value
    return {**example, **texts}


def write_predictions(results: Mapping[str, TaskResult], folder: Path, step: int) -> None:
    """Writes `<task>-<step>.jsonl` for each decoded task."""
    folder.mkdir(parents=True, exist_ok=True)
    for task, result in results.items():
        if result.predictions:
            lines = [json.dumps(r, ensure_ascii=False) + "\n" for r in result.predictions]
            (folder / f"{task}-{step:06d}.jsonl").write_text("".join(lines), encoding="utf-8")


def flat_metrics(results: Mapping[str, TaskResult]) -> dict[str, float]:
    """`{"<task>/<metric>": value}`, and "loss", the mean over tasks that have one."""
    flat = {f"{task}/{k}": v for task, r in results.items() for k, v in r.metrics.items()}
    losses = [r.metrics["loss"] for r in results.values() if "loss" in r.metrics]
    return flat | ({"loss": float(np.mean(losses))} if losses else {})
