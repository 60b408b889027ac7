"""A tiny T5 of ours."""

import jax
import numpy as np

from t2t.models.definition import Model
from t2t.models.presets import t5


def tiny(**changes):
    """Configuration; `changes` are arguments of the preset."""
    sizes = {"vocab_size": 40, "d_model": 8, "d_ff": 12, "num_heads": 2, "head_dim": 3}
    depths = {"num_encoder_layers": 1, "num_decoder_layers": 2}
    return t5(**{**sizes, **depths, **changes})


def random_params(config):
    """All leaves normal, so that none is what it would be if it were left out."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), Model(config).abstract_params
    )
