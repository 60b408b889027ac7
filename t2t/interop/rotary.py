"""Rotary positions in config.json, in the spelling of transformers 4 and 5, <-> `RoPE`."""

import dataclasses
import math
from typing import Any

from t2t.errors import UserError
from t2t.interop.family import HFConfig
from t2t.models.positions import (
    LinearScaling,
    Llama3Scaling,
    Positions,
    RoPE,
    YarnScaling,
)

_SCALINGS: dict[str, Any] = {"linear": LinearScaling, "llama3": Llama3Scaling, "yarn": YarnScaling}
_ORIGINAL = "original_max_position_embeddings"


def our_rope(config: HFConfig, *, partial: float | None = None, interleaved: bool = False) -> RoPE:
    """From `rope_parameters` or, in older files, `rope_theta` and `rope_scaling`.

    Args:
      partial: default for the share of features that turn; None if the model turns all of them.
      interleaved: which features are pairs, see `RoPE`.

    Raises:
      UserError: if the kind of scaling is not supported or lacks a setting.
    """
    older = config.get("rope_scaling")
    name = "rope_scaling" if older else "rope_parameters"
    given = {k: v for k, v in (older or config.get(name) or {}).items() if v is not None}
    settings = HFConfig(given, f"'{name}' of {config.where}")
    # What the dict says comes first, as for transformers.
    theta = given.get("rope_theta") or config.get("rope_theta") or 10000.0
    fraction = given.get("partial_rotary_factor") or config.get("partial_rotary_factor") or partial
    if partial is None and fraction not in (None, 1):
        raise UserError(
            f"{config.where} sets partial_rotary_factor = {fraction}, but models of type "
            f"'{config.get('model_type')}' turn all features."
        )
    scaling = _our_scaling(config, settings)
    return RoPE(theta, fraction or 1.0, interleaved=interleaved, scaling=scaling)


def their_rope(positions: Positions, *, partial: bool = False) -> dict[str, Any]:
    """`rope_parameters` and, where scaling tells it, `max_position_embeddings`.

    Raises:
      UserError: if the positions are not rotary.
    """
    if not isinstance(positions, RoPE):
        raise UserError("it has rotary positions (RoPE) only")
    settings: dict[str, Any] = {"rope_theta": positions.theta, "rope_type": "default"}
    if partial or positions.fraction != 1:
        settings["partial_rotary_factor"] = positions.fraction
    scaling = positions.scaling
    if scaling is None:
        return {"rope_parameters": settings}
    kinds = {kind: name for name, kind in _SCALINGS.items()}
    if type(scaling) not in kinds:
        raise UserError(f"it has no place for {type(scaling).__name__}")
    fields = {k: v for k, v in vars(scaling).items() if v is not None}
    settings |= {"rope_type": kinds[type(scaling)], **fields}
    if _ORIGINAL not in fields:
        return {"rope_parameters": settings}
    longest = math.ceil(fields["factor"] * fields[_ORIGINAL])
    return {"rope_parameters": settings, "max_position_embeddings": longest}


def _our_scaling(config: HFConfig, settings: HFConfig):
    kind = settings.get("rope_type") or settings.get("type") or "default"
    if kind == "default":
        return None
    if kind not in _SCALINGS:
        raise UserError(
            f"{settings.where} has rope_type = {kind!r}, which is not supported; only 'default', "
            f"{', '.join(map(repr, _SCALINGS))}."
        )
    values = {}
    for field in dataclasses.fields(_SCALINGS[kind]):
        if field.name == _ORIGINAL:
            values[_ORIGINAL] = (
                config.get(_ORIGINAL)
                or settings.get(_ORIGINAL)
                or config["max_position_embeddings"]
            )
        elif field.name in settings or field.default is dataclasses.MISSING:
            values[field.name] = settings[field.name]
    if kind == "yarn":
        values.setdefault("attention_factor", _yarn_attention_factor(settings, values["factor"]))
    return _SCALINGS[kind](**values)


def _yarn_attention_factor(settings: HFConfig, factor: float) -> float | None:
    """From `mscale` and `mscale_all_dim`, if both are there; None for the paper's."""
    scales = settings.get("mscale"), settings.get("mscale_all_dim")
    if not all(scales):
        return None
    above, below = (0.1 * scale * math.log(factor) + 1.0 for scale in scales)
    return above / below
