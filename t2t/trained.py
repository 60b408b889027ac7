"""A run's folder as something to use: its configuration, model and parameters.

A folder that `t2t import` or `t2t adapt` made has model.json and a tokenizer instead of a run's
configuration.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from etils import epath

from t2t import config
from t2t.data.registry import get_mixture_or_task
from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError
from t2t.models.definition import Model, Params
from t2t.models.lora import make_model
from t2t.models.portability import runnable_here
from t2t.models.serialization import from_dict
from t2t.paths import local_copy, run_folder
from t2t.trained_model import TrainedModel
from t2t.training.averages import restored_average
from t2t.training.checkpoints import Checkpoints
from t2t.training.loop import train
from t2t.training.partitioning import MeshShape, param_shardings
from t2t.training.preparation import applied_to, check_vocabularies
from t2t.training.run_directory import RunDirectory
from t2t.user_modules import import_user_module


def load_trained(
    model_dir: str,
    *,
    mixture: str | None = None,
    step: int | None = None,
    imports: tuple[str, ...] = (),
    own_devices: bool = False,
) -> TrainedModel:
    """Loads a run's parameters: those that training evaluates, averages if there are any.

    Args:
      model_dir: folder that `train` wrote.
      mixture: another task or mixture to use the model on.
      step: of the checkpoint; None for the newest that is intact.
      imports: modules to import first.
      own_devices: each of several processes has all parameters, on its own devices, and works by
        itself; else all devices of all processes share them.

    Raises:
      UserError: if the folder, the checkpoint or the task does not exist or does not fit.
    """
    run = RunDirectory(run_folder(model_dir))
    generation: dict[str, Any] = {}
    if not run.config.exists() and run.model_gin.exists():
        for module in imports:
            import_user_module(module)
        identity = run.stored_identity()
        arguments = {"model": from_dict(identity["model"], str(run.identity))}
        generation = identity.get("imported", {}).get("generation", {})
    elif not run.config.exists():
        patterns = (f"{depth}/{name}.gin" for depth in ("*", "*/*") for name in ("config", "model"))
        runs = sorted({path.parent for pattern in patterns for path in Path(".").glob(pattern)})
        known = f" Runs here: {', '.join(map(str, runs))}." if runs else ""
        raise UserError(
            f"'{model_dir}' is not the folder of a training run: it has no config.gin.{known} "
            f"`t2t import` makes one of a folder of Hugging Face or T5X."
        )
    else:
        config.load([str(run.config)], imports=imports)
        try:
            arguments = config.arguments_of(train)
        except UserError as error:
            raise UserError(f"'{run.config}' is not as training wrote it: {error}") from error
    mixture = mixture or arguments.get("mixture")
    task_or_mixture = get_mixture_or_task(mixture) if mixture else None
    tokenizer: Path | Vocabulary | None = (
        local_copy(run.tokenizer) if run.tokenizer.is_dir() else None
    )
    if task_or_mixture is not None:
        features = task_or_mixture.output_features
        vocabularies = check_vocabularies(features, arguments["model"])
        run.check_identity(arguments["model"], vocabularies, arguments.get("lora"))
        tokenizer = tokenizer or features["targets"].vocabulary
    model = make_model(runnable_here(arguments["model"]), arguments.get("lora"))
    params, found = _restored(run, model, arguments, step, own_devices)
    return TrainedModel(arguments, model, params, found, task_or_mixture, tokenizer, generation)


def at_step(trained: TrainedModel, model_dir: str, step: int) -> TrainedModel:
    """The model as it was at another step of its run, for all devices.

    Raises:
      UserError: if there is no such checkpoint, or it is damaged.
    """
    run = RunDirectory(run_folder(model_dir))
    params, _ = _restored(run, trained.model, trained.arguments, step, own_devices=False)
    return dataclasses.replace(trained, params=params, step=step)


def _restored(
    run: RunDirectory,
    model: Model,
    arguments: Mapping[str, Any],
    step: int | None,
    own_devices: bool,
) -> tuple[Params, int]:
    """Parameters of a checkpoint, the newest for None, and its step."""
    devices = jax.local_devices() if own_devices else jax.devices()
    mesh_shape = arguments.get("mesh", MeshShape()).or_data(devices)
    mesh, rules = mesh_shape.mesh(devices), mesh_shape.rules
    abstract = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        model.abstract_params,
        param_shardings(model.abstract_params, model.logical_axes, mesh, rules),
    )
    if not run.checkpoints.exists():
        raise UserError(f"'{run.path}' has no checkpoint yet.")
    with Checkpoints(run.checkpoints) as checkpoints:
        params, found = checkpoints.restore_params(abstract, step)
        if "optimizer" in arguments:
            optimizer = applied_to(
                arguments["optimizer"], arguments.get("trainable"), arguments.get("lora")
            )
            folder = epath.Path(run.checkpoints) / str(found)
            params = restored_average(folder, params, model, optimizer, mesh, rules)
    return params, found
