"""What `train` would be asked to do, without its data: from the same arguments."""

import dataclasses
import inspect
import logging
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from t2t.data.converters import FeatureConverter
from t2t.data.features import Feature, SequenceLength
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.registry import get_mixture_or_task
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError
from t2t.evaluation.policy import EvalPolicy
from t2t.models.definition import Model, ModelConfig
from t2t.models.electra import Electra
from t2t.models.lora import ADAPTERS, LoRA, make_model
from t2t.training.guard import Guard
from t2t.training.loop import train
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.norms import NormGroups
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import MeshShape
from t2t.training.trainable import Trainable

log = logging.getLogger(__name__)

UNKNOWN = "(unknown)"
"""The mixture of configurations that do not say which."""


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """What a training step depends on; the fields are those of `train`.

    Attributes:
      model: with LoRA, if it has any.
      optimizer: of what is trained.
      loss: what is minimised.
      row: for each array of a batch, its int32 shape without the rows, such as `(512,)`.
      row_lengths: tokens of a row, by axis.
      num_tasks: that the log tells apart.
      batch_size, microbatches, seed, mesh, guard, norms: of `train`.
      sequence_length, evaluation: of `train`, for generation.
    """

    model: Model
    optimizer: Optimizer
    loss: TrainingLoss
    row: Mapping[str, tuple[int, ...]]
    row_lengths: Mapping[str, int]
    num_tasks: int
    batch_size: int
    microbatches: int
    seed: int
    mesh: MeshShape
    guard: Guard
    norms: NormGroups
    sequence_length: SequenceLength
    evaluation: EvalPolicy

    @property
    def lengths(self) -> tuple[int, int]:
        """Of inputs and targets, as `t2t.training.flops` counts them."""
        return self.row_lengths.get("inputs", 0), self.row_lengths.get("targets", 0)

    def batch(self, sharding: jax.sharding.Sharding) -> dict[str, jax.ShapeDtypeStruct]:
        """A whole batch."""
        return {
            name: jax.ShapeDtypeStruct((self.batch_size, *shape), np.int32, sharding=sharding)
            for name, shape in self.row.items()
        }


def job_of(
    arguments: Mapping[str, Any],
    *,
    mesh: MeshShape | None = None,
    remat: str | None = None,
    batch_size: int | None = None,
    microbatches: int | None = None,
) -> TrainingJob:
    """The job that `train(**arguments)` would do; reads no data.

    A mixture that is not registered is taken for one task of inputs and targets.

    Args:
      arguments: of `train`.
      mesh, batch_size, microbatches: instead of those in `arguments`.
      remat: instead of the model's `Compute.remat`.

    Raises:
      UserError: for what `train` would refuse, too.
    """
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(train).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    given = {**defaults, **arguments}
    config, lora = given["model"], given["lora"]
    if remat is not None:
        config = with_remat(config, remat)
    rows, parts = batch_size or given["batch_size"], microbatches or given["microbatches"]
    if parts < 1 or rows % parts:
        raise UserError(f"{parts} microbatches do not divide the batch size {rows}.")
    model = make_model(config, lora)
    task = _task_or_mixture(given["mixture"])
    loss = given["loss"]
    loss.check(config, task)
    converter = given["converter"] or loss.converter(config, task, given["pack"])
    lengths = given["sequence_length"]
    return TrainingJob(
        model=model,
        optimizer=given["optimizer"]._replace(trainable=_trainable(model, given)),
        loss=loss,
        row=_row(converter, lengths),
        row_lengths=converter.row_lengths(lengths),
        num_tasks=len(leaf_tasks(task)),
        batch_size=rows,
        microbatches=parts,
        seed=given["seed"],
        mesh=mesh or given["mesh"],
        guard=given["guard"],
        norms=given["norms"],
        sequence_length=lengths,
        evaluation=given["evaluation"],
    )


def with_remat(config: ModelConfig, remat: str) -> ModelConfig:
    """The same model with another `Compute.remat`."""
    if isinstance(config, Electra):
        parts = {name: with_remat(getattr(config, name), remat) for name in _PARTS}
        return dataclasses.replace(config, **parts)  # type: ignore[arg-type]
    return dataclasses.replace(config, compute=dataclasses.replace(config.compute, remat=remat))


_PARTS = ("generator", "discriminator")


def _trainable(model: Model, given: Mapping[str, Any]) -> Trainable:
    lora: LoRA | None = given["lora"]
    chosen = given["trainable"]
    if chosen is None:
        chosen = Trainable() if lora is None else Trainable((ADAPTERS,))
    chosen.select(model.abstract_params)  # refuses patterns that match nothing
    return chosen


def _task_or_mixture(name: str) -> Task | Mixture:
    try:
        return get_mixture_or_task(name)
    except UserError:
        if name != UNKNOWN:
            log.info("'%s' is not registered: taken for a task of inputs and targets.", name)
        text = Feature(ByteVocabulary())
        return Task(name, InMemoryDataSource({"train": []}), {"inputs": text, "targets": text})


def _row(converter: FeatureConverter, lengths: SequenceLength) -> dict[str, tuple[int, ...]]:
    """What the converter makes of a row, told by an example of one token."""
    names = {*converter.task_features, *converter.passthrough_features, *lengths}
    names |= {"labels", "loss_weights", "token_types"}
    names |= {*getattr(converter, "aligned_features", ())}
    example = {name: np.ones(1, np.int32) for name in sorted(names)}
    batch = converter.convert_rows([[example]], lengths)
    shapes = {name: array.shape[1:] for name, array in batch.items()}
    side = converter.loss_side
    if f"{side}_loss_weights" in shapes:
        shapes[f"{side}_task_ids"] = shapes[f"{side}_loss_weights"]
    return shapes
