"""Cross-entropy of an encoder's masked tokens, without the logits of all others.

Of a row some 15 % are predicted, and only they are projected to the vocabulary, as by the original
implementations of BERT (`max_predictions_per_seq`) and ELECTRA. Shapes are fixed, so there is room
for a fifth of each row, or two fifths for a batch in which some row has more than that; beyond,
batches are projected whole. The result is the same.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.training.losses.cross_entropy import Head, Project, TokenScores, summed_cross_entropy
from t2t.training.losses.draws import Draws
from t2t.training.losses.token_loss import TokenLoss

SHARES = (0.2, 0.4)
"""Of a row's positions: the first that has room for all that are predicted of any row is taken."""


def room(length: int, share: float = SHARES[0]) -> int:
    """How many positions of a row are projected; as a rule, by the first share."""
    return math.ceil(share * length)


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
    return _scored(static, head, hidden, (targets, weights, uniforms))


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


def _with_room(some, head, hidden, rest):
    """What `some(places)` gives of (head, hidden, rest), for the fewest places that have room."""
    predicted = rest[1] != 0
    length = predicted.shape[1]
    # Those that are predicted, then others, in order.
    order = jnp.argsort(~predicted, axis=1, stable=True)
    rooms = [room(length, share) for share in SHARES]
    needed = jnp.max(jnp.sum(predicted, axis=1))
    index = jnp.sum(needed > jnp.array(rooms))
    branches = [some(order[:, :places]) for places in rooms]
    return jax.lax.switch(index, [*branches, some(None)], head, hidden, rest)


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
def _scored(static, head, hidden, rest):
    def some(places):
        def score(head, hidden, rest):
            if places is None:
                return _score(static, head, hidden, rest)
            total, scores = _score(static, head, *_taken((hidden, rest), places))
            return total, _put_back(scores, places, hidden.shape[1])

        return score

    return _with_room(some, head, hidden, rest)


def _scored_forward(static, head, hidden, rest):
    # Gradients are taken at once: `switch` would keep what all of its branches need for them.
    def some(places):
        def gradients(head, hidden, rest):
            if places is None:
                return _gradients(static, head, hidden, rest)
            out, (head_grads, hidden_grads) = _gradients(
                static, head, *_taken((hidden, rest), places)
            )
            scores, hidden_grads = _put_back((out[1], hidden_grads), places, hidden.shape[1])
            return (out[0], scores), (head_grads, hidden_grads)

        return gradients

    return _with_room(some, head, hidden, rest)


def _scored_backward(static, gradients, cotangents):
    scale, _ = cotangents
    head_grads, hidden_grads = jax.tree.map(lambda x: (x * scale).astype(x.dtype), gradients)
    return head_grads, hidden_grads, None


_scored.defvjp(_scored_forward, _scored_backward)
