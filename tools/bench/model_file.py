"""The model of a gin file, whatever its architecture."""

from collections.abc import Sequence
from typing import Any

from t2t import config as gin_config
from t2t.models.definition import ModelConfig


def measured(model: ModelConfig) -> ModelConfig:
    """What gin binds the file's `%MODEL` to."""
    return model


def load(file: str, bindings: Sequence[str]) -> ModelConfig:
    """The configuration of `file`, with lines of gin after it.

    Raises:
      UserError: see `t2t.config`.
    """
    configurables = (*gin_config.MODEL, f"{__name__}:{measured.__name__}")
    gin_config.load([file], ["measured.model = %MODEL", *bindings], configurables=configurables)
    model: Any = gin_config.arguments_of(measured)
    return model
