"""Model families of Hugging Face, one module each, found by the `model_type` of config.json."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from t2t.errors import UserError, did_you_mean
from t2t.interop.family import Family
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.electra import Electra


@functools.cache
def all_families() -> dict[str, Family]:
    """Every family, by name of its module."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {name: m.FAMILY for name, m in modules.items() if hasattr(m, "FAMILY")}


def family_of(config: Mapping[str, Any], where: str) -> Family:
    """The family that reads a config.json; `where` is its path, for messages.

    Raises:
      UserError: if it has no model_type, or one that no family reads.
    """
    known = {kind: family for family in all_families().values() for kind in family.model_types}
    model_type = config.get("model_type")
    if model_type is None:
        raise UserError(f"{where} has no model_type, so it is unknown what model this is.")
    if model_type not in known:
        raise UserError(
            f"{where} describes a model of type '{model_type}', which t2t does not have."
            f"{did_you_mean(str(model_type), known)} It has: {', '.join(sorted(known))}."
        )
    return known[model_type]


def equivalent(config: ModelConfig) -> tuple[ModelConfig, Callable[[Params], Params]]:
    """As `Family.equivalent`, of the first family that has another one.

    An ELECTRA is its discriminator there: the generator is left out.
    """
    if isinstance(config, Electra):
        other, convert = equivalent(config.discriminator)
        return other, lambda params: convert(Model(config).expanded(params)["discriminator"])
    for family in all_families().values():
        if type(config).__name__ in family.config_classes:
            other, convert = family.equivalent(config)
            if other != config:
                return other, convert
    return config, lambda params: params


def express(config: ModelConfig) -> tuple[Family, dict[str, Any]]:
    """A family that has all that `config` says, and the config.json that says it.

    Raises:
      UserError: if there is none, with what each one lacks.
    """
    kind = type(config).__name__
    reasons = []
    for name, family in all_families().items():
        if kind in family.config_classes:
            try:
                return family, family.express(config)
            except UserError as error:
                reasons.append(f"{name}: {error}")
    raise UserError(f"No family of Hugging Face has all of this {kind}. {'; '.join(reasons)}.")
