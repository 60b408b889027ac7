"""`train(...)` runs a whole experiment, from fresh or from its last checkpoint."""

import contextlib
import logging
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from t2t.data.converters import Batch, FeatureConverter
from t2t.data.features import SequenceLength
from t2t.data.pipeline import BatchIterator, TrainPipeline
from t2t.data.prefetching import prefetch
from t2t.data.registry import get_mixture_or_task
from t2t.data.workers import WorkerBatches, check_workers
from t2t.errors import UserError
from t2t.evaluation.evaluator import (
    EvalPolicy,
    Evaluator,
    TaskResult,
    flat_metrics,
    write_predictions,
)
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, ModelConfig
from t2t.models.lora import ADAPTERS, LoRA, make_model
from t2t.reporting.dry_run import dry_run_report
from t2t.reporting.parameters import parameter_table
from t2t.reporting.progress import Progress
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.initialization import Initialization
from t2t.training.interruption import Interruption, Stopped
from t2t.training.logging import MetricsLog, NoLog
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import MeshShape, batch_sharding, check_batch_size
from t2t.training.run_directory import RunDirectory
from t2t.training.run_lock import hold_run_lock
from t2t.training.start import Origin, abstract_sharded_state, initialization_from, resumes, start
from t2t.training.step import make_train_step
from t2t.training.throughput import StepLog
from t2t.training.trainable import Trainable

log = logging.getLogger(__name__)


def train(
    model_dir: str,
    mixture: str,
    sequence_length: SequenceLength,
    model: ModelConfig,
    optimizer: Optimizer,
    batch_size: int,
    total_steps: int,
    loss: TrainingLoss = Loss(),  # noqa: B008 (frozen)
    pack: bool = True,
    converter: FeatureConverter | None = None,
    data_workers: int = 0,
    microbatches: int = 1,
    seed: int = 0,
    mesh: MeshShape = MeshShape(),  # noqa: B008
    checkpoint: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008
    evaluation: EvalPolicy = EvalPolicy(),  # noqa: B008
    log_every: int = 50,
    init_from: str | Initialization | None = None,
    lora: LoRA | None = None,
    trainable: Trainable | None = None,
    fall_back: bool = False,
    config_text: str | None = None,
    dry_run: bool = False,
) -> dict[str, TaskResult]:
    """Trains to `total_steps`, going on from the newest checkpoint in `model_dir` if there is one.

    Args:
      model_dir: folder of the run; see `RunDirectory`.
      mixture: name of a registered task or mixture.
      sequence_length: tokens per row of "inputs" and "targets".
      model: the architecture.
      optimizer: of `t2t.training.optimizers`.
      batch_size: rows per step, over all devices and microbatches.
      total_steps: updates in all.
      loss: what is minimised; tokens through the LM head, unless another is given.
      pack: several examples per row.
      converter: what to make of examples, instead of what the architecture suggests.
      data_workers: processes per host that build batches; 0 for a thread.
      microbatches: parts of the batch whose gradients are accumulated one after the other.
      seed: of initialisation, data order and dropout.
      mesh: how devices are shared out.
      checkpoint: when to save and what to keep.
      evaluation: when and on what to evaluate.
      log_every: steps between log lines.
      init_from: another run's folder; a fresh run starts from its newest parameters. An
        `Initialization` takes parts, also of several runs and of other models.
      lora: low-rank adapters beside some kernels.
      trainable: what is trained; None for the adapters of `lora`, or everything without it.
      fall_back: if the newest checkpoint is damaged, go on from the one before.
      config_text: operative configuration, to store with the run.
      dry_run: check everything, print the model and what a step costs, and write nothing.

    Returns:
      The final evaluation, by task; nothing of a dry run.

    Raises:
      UserError: for anything the user can mend, before anything is written where possible.
      Stopped: after SIGINT or SIGTERM, once a checkpoint of the current step is saved.
    """
    # Everything that can be refused is refused before the folder is touched.
    for name, value in {"total_steps": total_steps, "log_every": log_every}.items():
        if value < 1:
            raise UserError(f"train.{name} must be at least 1, got {value}.")
    task_or_mixture = get_mixture_or_task(mixture)
    loss.check(model, task_or_mixture)
    definition = make_model(model, lora)
    if trainable is None:
        trainable = Trainable() if lora is None else Trainable((ADAPTERS,))
    trainable.select(definition.abstract_params)  # refuses patterns that match nothing
    optimizer = optimizer._replace(trainable=trainable)
    vocabularies = check_vocabularies(task_or_mixture.output_features, model)
    device_mesh = mesh.mesh()
    check_batch_size(
        batch_size, device_mesh, microbatches=microbatches, hosts=jax.process_count()
    )
    run = RunDirectory(Path(model_dir).expanduser())
    run.check_identity(model, vocabularies, lora)
    run.check_trainable()
    pipeline = TrainPipeline(
        task_or_mixture,
        sequence_length,
        batch_size,
        seed=seed,
        converter=converter or loss.converter(model, task_or_mixture, pack),
        host_index=jax.process_index(),
        host_count=jax.process_count(),
        head_rows=loss.rows(model, task_or_mixture),
    )
    row_lengths = pipeline.converter.row_lengths(sequence_length)  # refuses what does not fit
    if data_workers:
        check_workers(pipeline, data_workers)
    evaluator = Evaluator(
        definition,
        device_mesh,
        task_or_mixture,
        sequence_length,
        evaluation,
        seed,
        converter,
        loss,
        mesh.rules,
    )
    fingerprint = pipeline.fingerprint  # reads the data, so bad data surfaces here
    origin = Origin.of(definition, optimizer, fingerprint)
    initialization = initialization_from(init_from, model, lora)
    beginning = None
    if initialization and not resumes(run):
        target = abstract_sharded_state(definition, optimizer, device_mesh, mesh.rules).params
        beginning = initialization.open(target, fall_back=fall_back)
    is_main = jax.process_index() == 0
    if dry_run:
        report = dry_run_report(
            definition,
            optimizer,
            device_mesh,
            row_lengths,
            batch_size,
            loss.predicts_tokens,
            mesh.rules,
        )
        print(report)
        return {}

    run.create()
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(hold_run_lock(run.path))
        checkpoints = stack.enter_context(Checkpoints(run.checkpoints, checkpoint))
        state, start_position, unlogged = start(
            definition,
            optimizer,
            device_mesh,
            seed,
            checkpoints,
            origin,
            beginning,
            fall_back,
            mesh.rules,
        )
        if is_main:
            _describe(run, definition, device_mesh, mesh.rules, vocabularies, lora, config_text)
        first_step = int(state.step)
        metrics_log = MetricsLog(run, first_step) if is_main else NoLog()
        stack.callback(metrics_log.close)
        interruption = stack.enter_context(Interruption())
        train_step = make_train_step(
            definition,
            optimizer,
            device_mesh,
            loss=loss,
            num_tasks=len(pipeline.task_names),
            microbatches=microbatches,
            seed=seed,
            rules=mesh.rules,
        )
        step_log = StepLog(pipeline.task_names, optimizer.learning_rate, unlogged)
        progress = stack.enter_context(Progress(first_step, total_steps, enabled=is_main))
        host_batches: BatchIterator | WorkerBatches = pipeline.batches(start_position)
        if data_workers:
            host_batches = stack.enter_context(
                contextlib.closing(WorkerBatches(pipeline, data_workers, start_position))
            )
        batches = _on_devices(prefetch(host_batches), device_mesh)
        stack.callback(batches.close)

        results = None
        for step in range(first_step + 1, total_steps + 1):
            batch, position = next(batches)
            state, metrics = train_step(state, batch)
            step_log.add(metrics)

            last, stop = step == total_steps, interruption.requested(step)
            save = step % checkpoint.every == 0 or last
            unlogged = []
            if step % log_every == 0 or save:  # so that no state is saved with a NaN in it
                values = step_log.flush(step, where=run.path)
                lock.check()
                consumed = pipeline.consumed(_all_rows(position))
                metrics_log.write(step, values | _data_values(consumed, host_batches.skipped))
                progress.update(step, values)
                checkpoints.seal()
            elif stop:  # whether it is interrupted shows in no line of the log
                unlogged = step_log.unlogged(step, where=run.path)
            if last:
                progress.show_consumption(pipeline.rates, consumed)
            scores = None
            if last or step % evaluation.every == 0:
                with step_log.paused():
                    results = evaluator.evaluate(state.params)
                    lock.check()
                    scores = flat_metrics(results)
                    metrics_log.write(step, {f"eval/{k}": v for k, v in scores.items()})
                    progress.show_evaluation(step, results)
                    if is_main:
                        write_predictions(results, run.predictions, step)
            if save or stop:
                lock.check()
                with step_log.paused():
                    positions = _all_rows(position).tolist()
                    data = origin.to_dict() | {"positions": positions, "unlogged": unlogged}
                    checkpoints.save(state, data, scores)
            if stop and not last:
                checkpoints.wait()
                raise Stopped(interruption.signal, step, total_steps)
        if results is None:  # nothing was left to train
            results = evaluator.evaluate(state.params)
    return results


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


def _describe(
    run: RunDirectory,
    model: Model,
    mesh: Mesh,
    rules: AxisRules,
    vocabularies: dict[str, str],
    lora: LoRA | None,
    config_text: str | None,
) -> None:
    """Writes what the run is, beside its checkpoints."""
    run.write_identity(model.config, vocabularies, lora=lora)
    table = parameter_table(model, mesh, rules)
    run.write(run.path / "parameters.txt", table + "\n")
    log.info("%s", table.splitlines()[-1])
    if config_text is not None:
        run.write(run.config, config_text)


def _on_devices(
    batches: Iterator[tuple[Batch, np.ndarray]], mesh: Mesh
) -> Generator[tuple[dict[str, jax.Array], np.ndarray], None, None]:
    sharding = batch_sharding(mesh)
    for batch, position in batches:
        yield jax.make_array_from_process_local_data(sharding, batch), position


def _data_values(consumed: dict[str, dict[str, int]], skipped: dict[str, int]) -> dict[str, int]:
    """Examples and tokens by task since the start; malformed records this process left out."""
    values = {f"data/{task}/{k}": n for task, counts in consumed.items() for k, n in counts.items()}
    return values | {f"data/{task}/skipped": n for task, n in skipped.items()}


def _all_rows(position: np.ndarray) -> np.ndarray:
    if jax.process_count() > 1:  # each process knows the positions of its own rows
        return np.asarray(multihost_utils.process_allgather(position, tiled=True))
    return position
