"""`train(...)` runs a whole experiment, from fresh or from its last checkpoint."""

import contextlib
import functools
import logging
from collections.abc import Sequence

import jax

from t2t.compilation_cache import use_compilation_cache
from t2t.data.converters import FeatureConverter
from t2t.data.features import SequenceLength
from t2t.errors import UserError
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.policy import EvalPolicy
from t2t.evaluation.result_files import check_writable, write_results
from t2t.evaluation.results import TaskResult, flat_metrics
from t2t.gin_text import settings_of
from t2t.models.definition import ModelConfig
from t2t.models.lora import LoRA
from t2t.reporting.dry_run import dry_run_report
from t2t.reporting.parameters import parameter_table
from t2t.reporting.progress import Progress
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.clock import Clock
from t2t.training.compilations import Compilations, CompiledStep
from t2t.training.device_batches import DeviceBatches, data_values
from t2t.training.flops import train_flops
from t2t.training.guard import Guard
from t2t.training.initialization import Initialization
from t2t.training.interruption import Interruption, Stopped
from t2t.training.logging import NoLog, open_metrics_log
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.norms import NormGroups
from t2t.training.optimizers import Optimizer
from t2t.training.optimizers.averaging import evaluated_params
from t2t.training.partitioning import MeshShape
from t2t.training.preparation import prepare
from t2t.training.rollbacks import Rollbacks
from t2t.training.run_lock import hold_run_lock
from t2t.training.speed import PRODUCTIVE, Speed, first_start, peak_flops_of
from t2t.training.starts import record_start
from t2t.training.step import make_train_step
from t2t.training.throughput import StepLog
from t2t.training.trackers import Tracker, check_trackers
from t2t.training.trainable import Trainable
from t2t.training.watchdog import Watchdog

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
    norms: NormGroups = NormGroups(),  # noqa: B008
    guard: Guard = Guard(),  # noqa: B008
    watchdog: Watchdog = Watchdog(),  # noqa: B008
    trackers: Sequence[Tracker] = (),
    peak_flops: float | None = None,
    init_from: str | Initialization | None = None,
    lora: LoRA | None = None,
    trainable: Trainable | None = None,
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
      norms: parts of the model whose norms are logged.
      guard: what to do about NaN and peaks of the loss.
      watchdog: when to say where training hangs.
      trackers: what takes log lines, beside `metrics.jsonl` and TensorBoard's files.
      peak_flops: operations per second of a device that MFU is a share of; None for what its maker
        publishes for bfloat16, if known.
      init_from: another run's folder; a fresh run starts from its newest parameters. An
        `Initialization` takes parts, also of several runs and of other models.
      lora: low-rank adapters beside some kernels.
      trainable: what is trained; None for the adapters of `lora`, or everything without it.
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
    check_trackers(trackers)
    use_compilation_cache()
    it = prepare(
        model_dir=model_dir,
        mixture=mixture,
        sequence_length=sequence_length,
        model=model,
        optimizer=optimizer,
        batch_size=batch_size,
        loss=loss,
        pack=pack,
        converter=converter,
        data_workers=data_workers,
        microbatches=microbatches,
        seed=seed,
        mesh=mesh,
        init_from=init_from,
        lora=lora,
        trainable=trainable,
    )
    optimizer, run, pipeline = it.optimizer, it.run, it.pipeline
    norms.select(it.model.abstract_params)  # refuses patterns that match nothing
    peak = peak_flops_of(it.mesh.devices.flat[0], peak_flops)
    evaluator = Evaluator(
        it.model, it.mesh, it.data, sequence_length, evaluation, seed, converter, loss, mesh.rules
    )
    is_main = jax.process_index() == 0
    if dry_run:
        report = dry_run_report(
            it.model,
            optimizer,
            it.mesh,
            it.row_lengths,
            batch_size,
            loss.predicts_tokens,
            mesh.rules,
        )
        if is_main:
            print(report)
        return {}

    run.create()
    with contextlib.ExitStack() as stack:
        # What a run consists of
        lock = stack.enter_context(hold_run_lock(run.path))
        checkpoints = stack.enter_context(Checkpoints(run.checkpoints, checkpoint))
        begin = functools.partial(it.begin, checkpoints)
        state, start_position, unlogged, began, past = begin()
        if is_main:
            check_writable(run.predictions)
            it.describe(parameter_table(it.model, it.mesh, mesh.rules), config_text)
        step = int(state.step)
        if is_main:
            record_start(run, step)
        settings = settings_of(config_text or "")
        metrics_log = open_metrics_log(run, step, trackers, settings) if is_main else NoLog()
        stack.callback(metrics_log.close)
        progress = stack.enter_context(Progress(step, total_steps, enabled=is_main))
        interruption = stack.enter_context(Interruption())
        rollbacks = Rollbacks(guard, checkpoint, run.path, began, past)
        clock = Clock()
        train_step = CompiledStep(
            make_train_step(
                it.model,
                optimizer,
                it.mesh,
                loss=loss,
                guard=guard,
                groups=norms,
                num_tasks=len(pipeline.task_names),
                microbatches=microbatches,
                seed=seed,
                rules=mesh.rules,
            ),
            stack.enter_context(Compilations()),
            clock,
        )
        step_log = StepLog(pipeline.task_names, optimizer.learning_rate, unlogged)
        lengths = it.row_lengths.get("inputs", 0), it.row_lengths.get("targets", 0)
        speed = Speed(
            tokens=batch_size * sum(it.row_lengths.values()),
            flops=train_flops(it.model.config, *lengths, batch_size, loss.predicts_tokens),
            devices=it.mesh.size,
            peak_flops=peak,
            began=first_start(run),
            productive=metrics_log.total(PRODUCTIVE),
        )
        batches = DeviceBatches(pipeline, it.hosts, data_workers, start_position)
        stack.callback(lambda: batches.close())
        watch = stack.enter_context(watchdog.watching())

        # The steps
        results = None
        while step < total_steps:
            step += 1
            with clock.of("data"):
                batch, position = next(batches)
            state, metrics = train_step(state, batch)
            step_log.add(metrics)
            watch.step_done()

            last, stop = step == total_steps, interruption.requested(step)
            save = step % checkpoint.every == 0 or last
            unlogged = []
            if step % log_every == 0 or save:
                window = step_log.flush(step)
                if rollbacks.are_due(window):
                    lock.check()
                    del state, metrics
                    with watch.patiently():
                        new = rollbacks.go_back(step, window, checkpoints, begin)
                        batches.close()
                        position = it.hosts.of_all(position)
                        batches = DeviceBatches(pipeline, it.hosts, data_workers, position)
                        state, step = new.state, int(new.state.step)
                        metrics_log.go_back(step)
                        step_log.restart(new.unlogged)
                        speed.productive = metrics_log.total(PRODUCTIVE)
                        clock.write_off("rollback")
                    if stop:
                        raise Stopped(interruption.signal, step, total_steps)
                    continue
                lock.check()
                consumed = pipeline.consumed(it.hosts.of_all(position))
                values = (
                    window.values | rollbacks.values(window) | speed.values(window, clock.lap())
                )
                metrics_log.write(step, values | data_values(consumed, batches.skipped))
                progress.update(step, values)
                window.warn()
                checkpoints.tidy()
            elif stop:  # whether it is interrupted shows in no line of the log
                unlogged = step_log.unlogged()
            if last:
                progress.show_consumption(pipeline.rates, consumed)
            scores = None
            if last or step % evaluation.every == 0:
                with clock.of("evaluation", after=metrics), watch.patiently():
                    params = evaluated_params(state.params, state.opt_state, optimizer)
                    results = evaluator.evaluate(params)
                    lock.check()
                    scores = flat_metrics(results)
                    progress.show_evaluation(step, results)
                    if is_main:
                        write_results(results, run.predictions, step, evaluator.settings)
                measured = {f"eval/{name}": value for name, value in scores.items()}
                measured["perf/evaluation_seconds"] = clock.take("evaluation")
                metrics_log.write(step, measured)
            if save or stop:
                lock.check()
                metrics_log.flush()
                with clock.of("checkpoint", after=metrics):
                    data = it.origin.to_dict() | rollbacks.stored()
                    data |= {"positions": it.hosts.of_all(position).tolist(), "unlogged": unlogged}
                    # Where it was interrupted does not decide which checkpoint is the best.
                    seconds = checkpoints.save(state, data, scores if save else None)
                log.info("checkpoint of step %d: training waited for %.2f s", step, seconds)
            if stop and not last:
                checkpoints.wait()
                raise Stopped(interruption.signal, step, total_steps)
        if results is None:  # nothing was left to train
            params = evaluated_params(state.params, state.opt_state, optimizer)
            results = evaluator.evaluate(params)
    return results
