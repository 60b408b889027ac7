"""Texts of numbers, and small random models of them."""

from collections.abc import Sequence

import jax
import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.models.attention import Attention
from t2t.models.definition import Model
from t2t.models.feed_forward import FeedForward
from t2t.models.stack import Stack

VOCAB = 24


class Numbers(Vocabulary):
    """ "7 12" is the tokens 7 and 12, so that every text can be told from any other."""

    base_size = VOCAB
    fingerprint = "numbers"

    def encode(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def _decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))


def stack(**changes):
    """A small one."""
    settings = {"num_layers": 2, "d_model": 8, "attention": Attention(2, 4)}
    return Stack(**{**settings, "feed_forward": FeedForward(8, ("relu",)), **changes})


def random_params(config, seed=5):
    """All leaves normal, so that none is what it would be if it were left out."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), Model(config).abstract_params
    )


def texts(lengths, seed=0):
    """A text of each length."""
    rng = np.random.default_rng(seed)
    return [" ".join(map(str, rng.integers(2, VOCAB, length))) for length in lengths]
