"""Reads a T5X checkpoint: configuration, parameters and, if asked for, Adafactor's state."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2t.errors import UserError
from t2t.interop.sources import Source
from t2t.interop.t5x.adafactor import import_adafactor
from t2t.interop.t5x.configuration import model_config
from t2t.interop.t5x.folders import Found, find_checkpoint
from t2t.interop.t5x.layout import Layout, lay_out
from t2t.interop.t5x.legacy import read_legacy
from t2t.interop.t5x.orbax import read_orbax
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.parameter_paths import unflatten
from t2t.training.optimizers import Optimizer

_TARGET = "target/"


class T5XCheckpoint(NamedTuple):
    """What was read: arrays are numpy's, parameters float32.

    Attributes:
      config: of the model; dropout and precision are not in a checkpoint, and have their defaults.
      params: as `Model(config)` has them.
      opt_state: of the optimiser asked for, or None.
      step: number of updates that T5X did.
    """

    config: EncoderDecoder
    params: dict[str, Any]
    opt_state: Any
    step: int


def load_t5x(
    directory: str | Path,
    step: int | None = None,
    *,
    activations: tuple[str, ...] | None = None,
    optimizer: Optimizer | None = None,
) -> T5XCheckpoint:
    """Reads a checkpoint of a T5 in T5X's own format or Orbax's, unrolled or scanned.

    Names and shapes are checked first. Then arrays are read one at a time into the stacked ones.

    Args:
      directory: a folder checkpoint_<step>, or the one above.
      step: which, if there are several; None for the newest.
      activations: of the feed-forward layers, which shapes do not tell. By default those of T5
        1.1 ("gelu_tanh", "linear") if there are two branches, else T5 1.0's ("relu",).
      optimizer: of `adafactor`, to get its state as well.

    Raises:
      UserError: if there is no such checkpoint, it is damaged or of another model, or it has no
        Adafactor state though an `optimizer` is given.
    """
    found = find_checkpoint(Path(directory), step)
    source = read_legacy(found.folder) if found.format == "legacy" else read_orbax(found.folder)
    shapes = {
        name.removeprefix(_TARGET): info.shape
        for name, info in source.tensors.items()
        if name.startswith(_TARGET)
    }
    if not shapes:
        raise UserError(f"The T5X checkpoint {source.where} has no parameters ('{_TARGET}').")
    layout = lay_out(shapes, source.where)
    config = model_config(layout, activations)
    done = _step(found, source)
    params = read_params(layout, source)
    opt_state = None
    if optimizer is not None:
        template = jax.eval_shape(optimizer.transformation.init, params)
        opt_state = import_adafactor(layout, source, template, done)
    return T5XCheckpoint(config, params, opt_state, done)


def read_params(layout: Layout, source: Source) -> dict[str, Any]:
    """Parameters by the paths of ours, float32; one array of T5X's is read at a time."""
    flat: dict[str, np.ndarray] = {}
    for name, place in layout.places.items():
        shape = layout.shape(place)
        if place.stack is not None:
            shape = (layout.num_layers(place), *shape)
        if place.ours not in flat:
            flat[place.ours] = np.empty(shape, np.float32)
        value = layout.ours(place, _floats(source, _TARGET + name))
        flat[place.ours][... if place.layer is None else place.layer] = value
    return unflatten(flat)


def _floats(source: Source, name: str) -> np.ndarray:
    value = source.read(name)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        hint = " T5X wrote bfloat16 so before June 2021." if value.dtype == np.uint16 else ""
        raise UserError(
            f"Parameter '{name}' in {source.where} is of type {value.dtype}, not a float.{hint}"
        )
    return value


def _step(found: Found, source: Source) -> int:
    if "state/step" in source.tensors:
        return int(source.read("state/step").item())
    return found.step or 0
