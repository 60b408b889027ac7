"""Cross-entropy of an encoder's masked tokens, without the logits of all others.

Of a row some 15 % are predicted, and only they are projected to the vocabulary, as by the original
implementations of BERT (`max_predictions_per_seq`) and ELECTRA. Shapes are fixed, so there is room
for a fifth of each row; a batch in which any row has more is projected whole, with the same result.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.training.losses.cross_entropy import Head, Project, TokenScores, summed_cross_entropy
from t2t.training.losses.draws import Draws
from t2t.training.losses.token_loss import TokenLoss

SHARE = 0.2
"""Of a row's positions: so many are projected if no row has more that are predicted."""


def room(length: int) -> int:
    """How many positions of a row are projected, as a rule."""
    return math.ceil(SHARE * length)


def summed_where_predicted(
    project: Project,
    loss: TokenLoss,
    head: Head,
    hidden: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    mesh: Mesh | None = None,
    draws: Draws | None = None,
) -> tuple[jax.Array, TokenScores]:
    """As `summed_cross_entropy`, for weights `[batch, length]` of which most are 0.

    Differentiable with respect to head and hidden. Scores mean nothing where weights are 0.
    """
    uniforms, temperature = draws or (None, 1.0)
    static = (project, loss, temperature, mesh)
    return _either(static, head, hidden, (targets, weights, uniforms))


def _score(static, head, hidden, rest) -> tuple[jax.Array, TokenScores]:
    (project, loss, temperature, mesh), (targets, weights, uniforms) = static, rest
    draws = None if uniforms is None else Draws(uniforms, temperature)
    return summed_cross_entropy(project, loss, head, hidden, targets, weights, mesh, draws)


def _gradients(static, head, hidden, rest):
    """The sum and the scores; of the sum, gradients by head and hidden."""
    total, pullback, scores = jax.vjp(
        lambda head, hidden: _score(static, head, hidden, rest), head, hidden, has_aux=True
    )
    return (total, scores), pullback(jnp.ones_like(total))


def _few_or_all(few, all_positions, head, hidden, rest):
    """What `few` or, where it has no room, `all_positions` gives of (head, hidden, rest)."""
    predicted = rest[1] != 0
    fits = jnp.all(jnp.sum(predicted, axis=1) <= room(predicted.shape[1]))
    return jax.lax.cond(fits, few, all_positions, head, hidden, rest)


def _places(rest) -> jax.Array:
    """int `[batch, room]`: those that are predicted, then others, in order."""
    others = rest[1] == 0
    return jnp.argsort(others, axis=1, stable=True)[:, : room(others.shape[1])]


def _taken(tree, places: jax.Array):
    """Arrays `[batch, length, ...]` at the places."""
    take = jax.vmap(lambda x, row: x[row])
    return jax.tree.map(lambda x: take(x, places), tree)


def _put_back(tree, places: jax.Array, length: int):
    """The inverse of `_taken`, 0 elsewhere."""

    def put(values, row):
        zeros = jnp.zeros((length, *values.shape[1:]), values.dtype)
        return zeros.at[row].set(values, unique_indices=True)

    return jax.tree.map(lambda x: jax.vmap(put)(x, places), tree)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _either(static, head, hidden, rest):
    def few(head, hidden, rest):
        places = _places(rest)
        total, scores = _score(static, head, *_taken((hidden, rest), places))
        return total, _put_back(scores, places, hidden.shape[1])

    return _few_or_all(few, functools.partial(_score, static), head, hidden, rest)


def _either_forward(static, head, hidden, rest):
    # Gradients are taken at once: `cond` would keep what both of its branches need for them.
    def few(head, hidden, rest):
        places, length = _places(rest), hidden.shape[1]
        (total, scores), (head_grads, hidden_grads) = _gradients(
            static, head, *_taken((hidden, rest), places)
        )
        scores, hidden_grads = _put_back((scores, hidden_grads), places, length)
        return (total, scores), (head_grads, hidden_grads)

    return _few_or_all(few, functools.partial(_gradients, static), head, hidden, rest)


def _either_backward(static, gradients, cotangents):
    scale, _ = cotangents
    head_grads, hidden_grads = jax.tree.map(lambda x: (x * scale).astype(x.dtype), gradients)
    return head_grads, hidden_grads, None


_either.defvjp(_either_forward, _either_backward)
