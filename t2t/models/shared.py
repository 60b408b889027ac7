"""What all modules of a model are built with."""

import dataclasses

import jax.numpy as jnp

from t2t.models.config import Compute, Dropout
from t2t.models.initializers import Init


@dataclasses.dataclass(frozen=True)
class Shared:
    """Settings of the whole model that reach every layer."""

    init: Init
    dropout: Dropout
    compute: Compute

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.dtype(self.compute.dtype)
