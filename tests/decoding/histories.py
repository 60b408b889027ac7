"""Histories of rows, made up."""

import jax.numpy as jnp
import numpy as np

from t2t.decoding.history import History

VOCAB = 7


def history(tokens, prompt, padding=0, to_come=0):
    """Rows without padding, or all with as much in front, of a prompt and what came after."""
    tokens = np.asarray(tokens, np.int32)
    column = tokens.shape[1]
    seen = np.ones_like(tokens, bool)
    seen[:, :padding] = False
    rest = ((0, 0), (0, to_come))
    return History(
        jnp.asarray(np.pad(tokens, rest)),
        jnp.asarray(np.pad(seen, rest)),
        jnp.array(column, jnp.int32),
        jnp.array(column - prompt, jnp.int32),
    )


def random_history(seed, rows=5, length=12, vocab=VOCAB):
    """Rows with different padding in front, as far as a random column."""
    rng = np.random.default_rng(seed)
    column = int(rng.integers(1, length + 1))
    places = np.arange(length)[None]
    begins = rng.integers(0, column, (rows, 1))
    return History(
        jnp.asarray(rng.integers(0, vocab, (rows, length)).astype(np.int32)),
        jnp.asarray((places >= begins) & (places < column)),
        jnp.array(column, jnp.int32),
        jnp.array(int(rng.integers(0, column)), jnp.int32),
    )


def random_logits(seed, rows=5, vocab=VOCAB):
    """Some are forbidden already."""
    rng = np.random.default_rng(seed + 1000)
    logits = rng.normal(size=(rows, vocab)).astype(np.float32)
    logits[rng.random((rows, vocab)) < 0.1] = -np.inf
    return jnp.asarray(logits)
