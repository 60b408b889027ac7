"""Checks what a run is made of, and puts it together, before the run's folder is touched."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.features import SequenceLength
from t2t.data.mixtures import Mixture
from t2t.data.pipeline import TrainPipeline
from t2t.data.registry import get_mixture_or_task
from t2t.data.tasks import Task
from t2t.data.workers import check_workers
from t2t.errors import UserError
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, ModelConfig
from t2t.models.lora import ADAPTERS, LoRA, make_model
from t2t.paths import run_folder
from t2t.training.checkpoints import Checkpoints
from t2t.training.host_rows import HostRows
from t2t.training.initialization import Initialization, OpenedInitialization
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import MeshShape, check_batch_size
from t2t.training.run_directory import RunDirectory
from t2t.training.start import (
    Beginning,
    Origin,
    abstract_sharded_state,
    initialization_from,
    resumes,
    start,
)
from t2t.training.trainable import Trainable

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What a run is made of.

    Attributes:
      run: its folder.
      data: what is trained on.
      model: the architecture, with adapters if there are any.
      lora: of the adapters.
      optimizer: with what it is applied to.
      mesh: of devices.
      hosts: which rows of batches each process reads.
      rules: which axes of the mesh split what.
      vocabularies: fingerprints by feature.
      pipeline: gives batches.
      row_lengths: tokens of a row, by axis.
      origin: stored with checkpoints.
      seed: of a fresh start.
      initialization: where parameters of a fresh start come from, if not from the seed.
      opened: that, if the run begins with it.
    """

    run: RunDirectory
    data: Task | Mixture
    model: Model
    lora: LoRA | None
    optimizer: Optimizer
    mesh: Mesh
    hosts: HostRows
    rules: AxisRules
    vocabularies: Mapping[str, str]
    pipeline: TrainPipeline
    row_lengths: Mapping[str, int]
    origin: Origin
    seed: int
    initialization: Initialization | None
    opened: OpenedInitialization | None

    def begin(self, checkpoints: Checkpoints) -> Beginning:
        """What to go on from; raises UserError as `start`."""
        opened = self.opened
        if self.initialization and not opened and not checkpoints.steps():
            opened = self._open(self.initialization)
        return start(
            self.model,
            self.optimizer,
            self.mesh,
            self.seed,
            checkpoints,
            self.origin,
            opened,
            self.rules,
        )

    def with_initialization(self) -> "Preparation":
        """With the sources of parameters opened, unless the run goes on from a checkpoint."""
        if not self.initialization or resumes(self.run):
            return self
        opened = self._open(self.initialization)
        return dataclasses.replace(self, opened=opened)

    def _open(self, initialization: Initialization) -> OpenedInitialization:
        state = abstract_sharded_state(self.model, self.optimizer, self.mesh, self.rules)
        return initialization.open(state.params)

    def describe(self, parameters: str, config_text: str | None) -> None:
        """Writes what the run is, beside its checkpoints; `parameters` is the table of them."""
        self.run.write_identity(self.model.config, self.vocabularies, lora=self.lora)
        self.run.write(self.run.path / "parameters.txt", parameters + "\n")
        log.info("%s", parameters.splitlines()[-1])
        if config_text is not None:
            self.run.write(self.run.config, config_text)


def prepare(
    *,
    model_dir: str,
    mixture: str,
    sequence_length: SequenceLength,
    model: ModelConfig,
    optimizer: Optimizer,
    batch_size: int,
    loss: TrainingLoss,
    pack: bool,
    converter: FeatureConverter | None,
    data_workers: int,
    microbatches: int,
    seed: int,
    mesh: MeshShape,
    init_from: str | Initialization | None,
    lora: LoRA | None,
    trainable: Trainable | None,
) -> Preparation:
    """Refuses with a UserError what can be refused; the arguments are those of `train`."""
    data = get_mixture_or_task(mixture)
    loss.check(model, data)
    definition = make_model(model, lora)
    optimizer = applied_to(optimizer, trainable, lora)
    optimizer.trainable.select(definition.abstract_params)  # refuses patterns that match nothing
    vocabularies = check_vocabularies(data.output_features, model)
    device_mesh = mesh.mesh()
    hosts = HostRows(device_mesh)
    share = hosts.share
    check_batch_size(batch_size, device_mesh, microbatches=microbatches, hosts=share.count)
    run = RunDirectory(run_folder(model_dir))
    run.check_identity(model, vocabularies, lora)
    run.check_trainable()
    pipeline = TrainPipeline(
        data,
        sequence_length,
        batch_size,
        seed=seed,
        converter=converter or loss.converter(model, data, pack),
        host_index=share.index,
        host_count=share.count,
        head_rows=loss.rows(model, data),
    )
    row_lengths = pipeline.converter.row_lengths(sequence_length)  # refuses what does not fit
    if data_workers:
        check_workers(pipeline, data_workers)
    fingerprint = pipeline.fingerprint  # reads the data, so bad data surfaces here
    prepared = Preparation(
        run=run,
        data=data,
        model=definition,
        lora=lora,
        optimizer=optimizer,
        mesh=device_mesh,
        hosts=hosts,
        rules=mesh.rules,
        vocabularies=vocabularies,
        pipeline=pipeline,
        row_lengths=row_lengths,
        origin=Origin.of(definition, optimizer, fingerprint),
        seed=seed,
        initialization=initialization_from(init_from, model, lora),
        opened=None,
    )
    return prepared.with_initialization()


def applied_to(optimizer: Optimizer, trainable: Trainable | None, lora: LoRA | None) -> Optimizer:
    """With what it trains: by default the adapters of `lora`, or everything without it."""
    if trainable is None:
        trainable = Trainable() if lora is None else Trainable((ADAPTERS,))
    return optimizer._replace(trainable=trainable)


def check_vocabularies(features: Any, model: ModelConfig) -> dict[str, str]:
    """Fingerprints by feature; raises UserError if the embedding table is too small for one."""
    source = getattr(model, "source_encoder", None)
    for name, feature in features.items():
        reader = source if source and name == "inputs" else model
        if feature.vocabulary.vocab_size > reader.vocab_size:
            raise UserError(
                f"The vocabulary of '{name}' has {feature.vocabulary.vocab_size} ids, but "
                f"{type(reader).__name__}.vocab_size is {reader.vocab_size}; it must be at "
                f"least as large."
            )
    return {name: feature.vocabulary.fingerprint for name, feature in features.items()}
