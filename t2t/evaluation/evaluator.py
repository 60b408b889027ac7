"""Loss, decoded metrics and predictions of a model on every task of a mixture."""

import dataclasses
import functools
import logging
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import SequenceLength
from t2t.data.heads import with_rows
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.baselines import unigram_loss
from t2t.evaluation.confidence import intervals
from t2t.evaluation.judging import Sums, judge, judge_loss, judge_rule
from t2t.evaluation.policy import EvalPolicy
from t2t.evaluation.predictions import make_predictions, predicts
from t2t.evaluation.records import as_json
from t2t.evaluation.references import References
from t2t.evaluation.results import TaskResult
from t2t.evaluation.task_metrics import metric_kinds
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, Params
from t2t.training.host_rows import HostRows
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.partitioning import check_batch_size
from t2t.training.step import make_eval_step

log = logging.getLogger(__name__)


class Evaluator:
    """Evaluates parameters on fixed sets of examples. Compiles once per task and kind of work.

    Models that generate are asked for predictions, too, where a task has metrics for them; the
    others, but for heads of labels, for loss and token accuracy alone. Where no example has a
    target, as in test sets without labels, there are predictions, but no metrics.

    Each of several processes reads, scores and decodes a share of the examples. What it found goes
    to all, in order, so that metrics are the same on all and for any number of processes.

    Attributes:
      settings: what results depend on beside the parameters, as JSON has it.
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
        """Opens the data.

        Raises:
          UserError: if no task has the split, the data of one cannot be read, or the mesh does not
            divide the batch size.
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
        decoded = {"predict", "predict_with_aux"}
        self._kinds = {
            name: metric_kinds(s.task)
            - (set() if predicts(model.config, loss, s.task) else decoded)
            for name, s in self._sets.items()
        }
        self._references = {
            name: References(s, self._hosts) for name, s in self._sets.items() if self._kinds[name]
        }
        if not self._sets:
            raise UserError(
                f"No task of '{task_or_mixture.name}' has a split '{policy.split}' to evaluate: "
                + "; ".join(f"{t.name} has {', '.join(t.splits)}" for t in tasks)
                + ". Name one of those (EvalPolicy.split in gin, --split of `t2t eval`), or make "
                "one of another with SplitDataSource."
            )
        for examples in self._sets.values():
            if examples.task.objective is None:  # else opening may be to tokenise a whole corpus
                _ = examples.rows
        self._score = make_eval_step(model, mesh, loss, rules)
        self._predicts_tokens = loss.predicts_tokens
        self._decoded = [name for name, kinds in self._kinds.items() if kinds & decoded]
        decoding = policy.decoding_of(sequence_length)
        if self._decoded:
            self._predictions = make_predictions(
                model, mesh, loss, task_or_mixture, decoding, sequence_length, rules
            )
        self.settings: dict[str, Any] = {
            "mixture": task_or_mixture.name,
            "split": policy.split,
            "num_examples": policy.num_examples,
            "sequence_length": as_json(dict(sequence_length)),
            "decoding": repr(decoding) if self._decoded else None,
            "seed": seed,
        }

    def evaluate(self, params: Params) -> dict[str, TaskResult]:
        """Returns the result of each task."""
        return {name: self._evaluate_task(name, params) for name in self._sets}

    def _evaluate_task(self, name: str, params: Params) -> TaskResult:
        examples = self._sets[name]
        if not len(examples):
            raise UserError(
                f"Task '{name}': of the split '{examples.split}', preprocessing left no examples "
                f"to evaluate."
            )
        known = self._references.get(name)
        is_scored = known is None or known.are_labelled or "score" in self._kinds[name]
        sums = self._score_rows(examples, params) if is_scored else {}
        predictions = None
        if name in self._decoded:
            predictions = self._predictions.predict(params, examples, self._policy.batch_size)
        judged = judge_loss(sums) if known is None else judge(known, sums, predictions)
        return TaskResult(
            len(examples),
            judged.metrics,
            self._baselines[name],
            judged.records,
            intervals(judged.resamplings, self._seed),
        )

    def _score_rows(self, examples: EvaluationSet, params: Params) -> Sums:
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

    @functools.cached_property
    def _baselines(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for name in self._sets:
            found[name] = {}
            known = self._references.get(name)
            if known is not None and not known.are_labelled:
                continue
            if self._predicts_tokens and name in self._train_sets:
                found[name] |= self._unigram_loss(name)
            if name in self._decoded:
                found[name] |= judge_rule(self._references[name])
        return found

    def _unigram_loss(self, name: str) -> dict[str, float]:
        train, examples = self._train_sets[name], self._sets[name]
        try:
            loss = unigram_loss(train, examples, self._model.config.vocab_size)
        except UserError as error:
            if self._hosts.share.count > 1:  # others wait for what this one has
                raise
            log.warning("there is no unigram baseline, since: %s", error)
            return {}
        return {} if loss is None else {"unigram_loss": loss}
