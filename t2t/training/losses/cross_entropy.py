"""Cross-entropy of hidden states and a head, without all logits at once.

Logits of a whole batch, `[batch, length, vocab]`, are often the largest array of a training step.
Here sequences are cut into chunks, and one chunk after the other is projected and scored. The
gradient of a chunk follows from its own logits, so it is taken while they exist, and scaled later
by what the backward pass brings: three matrix products, as without chunks; none is done twice.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from t2t.training.losses.draws import Draws, sample
from t2t.training.losses.token_loss import TokenLoss
from t2t.training.partitioning import BATCH_AXES

Head = Any
"""Pytree of floating-point arrays: the parameters that turn hidden states into logits."""

Project = Callable[[Head, jax.Array], jax.Array]
"""(head, hidden `[rows, positions, d_model]`) -> float32 logits `[rows, positions, vocab]`."""


class TokenScores(NamedTuple):
    """What is known of each token, `[batch, length]`.

    Attributes:
      cross_entropy: float32 nats, without smoothing and z-loss.
      correct: float32, 1 if the most likely token is the target.
      sampled: int32, a token drawn from the model's distribution, if one was asked for.
    """

    cross_entropy: jax.Array
    correct: jax.Array
    sampled: jax.Array | None = None


def summed_cross_entropy(
    project: Project,
    loss: TokenLoss,
    head: Head,
    hidden: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    mesh: Mesh | None = None,
    draws: Draws | None = None,
) -> tuple[jax.Array, TokenScores]:
    """`sum(loss(project(head, hidden), targets) * weights)`, and scores to report.

    The sum is differentiable with respect to head, hidden and weights (in reverse mode), the scores
    are constants.

    Args:
      project: must treat positions independently and close over no traced arrays.
      loss: `max_logits_bytes` decides how many positions are projected at a time.
      head: what `project` reads.
      hidden: `[batch, length, d_model]`, of any float dtype.
      targets: int `[batch, length]`.
      weights: float32 `[batch, length]`.
      mesh: the one that the batch is split over, if it is.
      draws: draws a token at every position, the same one whatever the chunks.
    """
    uniforms, temperature = draws or (None, 1.0)
    vocab = jax.eval_shape(project, head, hidden[:, :1]).shape[-1]
    chunk = _chunk_length(loss, targets.shape, vocab, mesh)
    if chunk == targets.shape[1]:
        optimised, scores = _score(project, loss, temperature, head, hidden, targets, uniforms)
        return jnp.sum(optimised * weights), jax.lax.stop_gradient(scores)
    static = (project, loss, temperature, chunk, mesh)
    return _in_chunks(*static, head, hidden, targets, weights, uniforms)


def _chunk_length(loss: TokenLoss, shape: tuple[int, ...], vocab: int, mesh: Mesh | None) -> int:
    """Positions to project at a time, such that chunks are of about equal length."""
    batch, length = shape
    bytes_per_position = 4 * batch * vocab / (mesh.size if mesh else 1)
    longest = max(1, int(loss.max_logits_bytes / bytes_per_position))
    return math.ceil(length / math.ceil(length / longest))


def _score(
    project: Project,
    loss: TokenLoss,
    temperature: float,
    head: Head,
    hidden: jax.Array,
    targets: jax.Array,
    uniforms: jax.Array | None,
) -> tuple[jax.Array, TokenScores]:
    """The loss per token, and scores."""
    logits = project(head, hidden)
    correct = (jnp.argmax(logits, -1) == targets).astype(jnp.float32)
    cross_entropy = TokenLoss()(logits, targets)
    optimised = cross_entropy if loss.is_plain else loss(logits, targets)
    sampled = None if uniforms is None else sample(logits / temperature, uniforms)
    return optimised, TokenScores(cross_entropy, correct, sampled)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3, 4))
def _in_chunks(project, loss, temperature, chunk, mesh, head, hidden, targets, weights, uniforms):
    def body(_, inputs):
        return None, _score(project, loss, temperature, head, *inputs)

    parts = jax.tree.map(lambda x: _split(x, chunk), (hidden, targets, uniforms))
    _, scored = jax.lax.scan(body, None, parts)
    optimised, scores = jax.tree.map(lambda x: _join(x, targets.shape), scored)
    return jnp.sum(optimised * weights), scores


def _in_chunks_forward(
    project, loss, temperature, chunk, mesh, head, hidden, targets, weights, uniforms
):
    # The head's gradient is summed over the batch. Every group of rows that lives on a device of
    # its own keeps its own sum, so that devices exchange theirs once and not once per chunk.
    groups = math.prod(mesh.shape[axis] for axis in BATCH_AXES) if mesh else 1

    def keep_apart(tree):
        return jax.tree.map(lambda x: _split_first_axis(x, mesh), tree) if mesh else tree

    def group_gradients(hidden, targets, weights, uniforms):
        optimised, pullback, scores = jax.vjp(
            lambda head, hidden: _score(
                project, loss, temperature, head, hidden, targets, uniforms
            ),
            head,
            hidden,
            has_aux=True,
        )
        return pullback(weights), (optimised, scores)

    def body(head_grads, inputs):
        grouped = jax.tree.map(lambda x: x.reshape(groups, -1, *x.shape[1:]), inputs)
        (new, hidden_grads), scored = jax.vmap(group_gradients)(*grouped)
        head_grads = jax.tree.map(lambda x, y: x + y.astype(x.dtype), head_grads, new)
        rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (hidden_grads, scored))
        return keep_apart(head_grads), rows

    zeros = jax.tree.map(lambda x: jnp.zeros((groups, *x.shape), jnp.float32), head)
    # Weights are filled up with 0, so that what fills up the rest adds nothing to a gradient.
    parts = jax.tree.map(lambda x: _split(x, chunk), (hidden, targets, weights, uniforms))
    head_grads, (hidden_grads, scored) = jax.lax.scan(body, keep_apart(zeros), parts)
    head_grads = jax.tree.map(lambda g, x: jnp.sum(g, 0).astype(x.dtype), head_grads, head)
    optimised, scores = jax.tree.map(lambda x: _join(x, targets.shape), scored)
    residuals = (head_grads, _join(hidden_grads, targets.shape), optimised)
    return (jnp.sum(optimised * weights), scores), residuals


def _in_chunks_backward(project, loss, temperature, chunk, mesh, residuals, cotangents):
    scale, _ = cotangents
    grads = jax.tree.map(lambda x: (x * scale).astype(x.dtype), residuals)
    head_grads, hidden_grads, optimised = grads
    return head_grads, hidden_grads, None, optimised, None


_in_chunks.defvjp(_in_chunks_forward, _in_chunks_backward)


def _split(x: jax.Array, chunk: int) -> jax.Array:
    """`[batch, length, ...]` to `[chunks, batch, chunk, ...]`, the last chunk filled up with 0."""
    batch, length = x.shape[:2]
    rest = ((0, 0),) * (x.ndim - 2)
    filled = jnp.pad(x, ((0, 0), (0, -length % chunk), *rest))
    return jnp.moveaxis(filled.reshape(batch, -1, chunk, *x.shape[2:]), 1, 0)


def _join(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The inverse of `_split` for an original shape `[batch, length, ...]`."""
    batch, length = shape
    joined = jnp.moveaxis(x, 0, 1).reshape(batch, -1, *x.shape[3:])
    return joined[:, :length]


def _split_first_axis(x: jax.Array, mesh: Mesh) -> jax.Array:
    others = (PartitionSpec.UNCONSTRAINED,) * (x.ndim - 1)
    spec = PartitionSpec(BATCH_AXES, *others)
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, spec))
