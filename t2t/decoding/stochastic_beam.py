"""Sequences drawn without replacement: stochastic beam search.

Kool et al., 2019, https://arxiv.org/abs/1903.06059, algorithm 1. Of log-probabilities with
independent Gumbel noise, the k largest of all sequences are a sample of k sequences without
replacement. They are found from the root down: a prefix has the largest value of its sequences, so
that a beam search needs to extend k prefixes only.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.decoding.strategy import Decoder, Generated, Rules
from t2t.decoding.top_k import top_k

Warp = Callable[[jax.Array, History], jax.Array]


class _Prefixes(NamedTuple):
    history: History  # [batch * n] rows
    log_probs: jax.Array  # float32 [batch, n]: of the warped distribution that is sampled from
    perturbed: jax.Array  # float32 [batch, n]: with noise, largest first; -inf is no prefix
    scores: jax.Array  # float32 [batch, n]: log-probabilities of the model
    ended: jax.Array  # bool [batch, n]
    origins: jax.Array  # int32 [batch * n]: rows of the state that they go on from


def search(
    module: Decoder,
    logits: jax.Array,
    state: Any,
    history: History,
    rules: Rules,
    warp: Warp,
    keys: jax.Array,
    n: int,
) -> Generated:
    """Draws n different sequences per input, in the order in which they are drawn.

    Args:
      module, logits, state, history, rules: see `Strategy.search`.
      warp: makes of logits after processors those to draw from.
      keys: `[batch]`.
      n: if there are fewer sequences, the others have no tokens and a score of -inf.
    """
    batch, vocab = logits.shape
    first_rows = jnp.arange(batch)[:, None] * n

    def extend(prefixes: _Prefixes, logits: jax.Array) -> _Prefixes:
        history = prefixes.history
        allowed = jax.nn.log_softmax(warp(rules.process(logits, history), history), axis=-1)
        allowed = jnp.where(jnp.isnan(allowed), -jnp.inf, allowed)  # where nothing is allowed
        log_probs = prefixes.log_probs[:, :, None] + allowed.reshape(batch, n, vocab)
        noise = jax.vmap(lambda key: _noise(key, history.step, (n, vocab)))(keys)
        perturbed = _at_most(prefixes.perturbed, log_probs + noise)
        # An ended prefix has one continuation, itself.
        ended = jnp.where(jnp.arange(vocab) == 0, prefixes.perturbed[:, :, None], -jnp.inf)
        perturbed = jnp.where(prefixes.ended[:, :, None], ended, perturbed)
        perturbed, flat = top_k(perturbed.reshape(batch, n * vocab), n)

        beams, tokens = flat // vocab, flat % vocab
        ended, log_prob, score = (
            jnp.take_along_axis(x, beams, axis=1)
            for x in (prefixes.ended, prefixes.log_probs, prefixes.scores)
        )

        def gained(log_probs: jax.Array) -> jax.Array:
            values = jnp.take_along_axis(log_probs.reshape(batch, n * vocab), flat, axis=1)
            return jnp.where(ended, 0.0, values)

        rows = first_rows + beams
        return _Prefixes(
            history=history.follow(rows, tokens, ~ended),
            log_probs=log_prob + gained(allowed),
            perturbed=perturbed,
            scores=score + gained(jax.nn.log_softmax(logits, axis=-1)),
            ended=ended | rules.ends(tokens),
            origins=rows.reshape(-1),
        )

    def unfinished(carry):
        prefixes, _ = carry
        going_on = ~prefixes.ended & (prefixes.perturbed > -jnp.inf) & rules.active[:, None]
        return (prefixes.history.step < rules.max_length) & jnp.any(going_on)

    def step(carry):
        prefixes, state = carry
        state = state.take(prefixes.origins)
        logits, state = module.decode_step(prefixes.history.last, state)
        return extend(prefixes, logits), state

    zeros = jnp.zeros((batch, n), jnp.float32)
    prefixes = _Prefixes(
        history=history.repeat(n),
        log_probs=zeros,
        perturbed=jnp.where(jnp.arange(n)[None, :] == 0, zeros, -jnp.inf),  # others are copies
        scores=zeros,
        ended=zeros > 0,
        origins=jnp.zeros((batch * n,), jnp.int32),
    )
    prefixes = extend(prefixes, jnp.repeat(logits, n, axis=0))
    prefixes, _ = jax.lax.while_loop(unfinished, step, (prefixes, state.repeat(n)))
    exists = prefixes.perturbed > -jnp.inf
    tokens = prefixes.history.generated(rules.max_length).reshape(batch, n, -1)
    return rules.result(
        jnp.where(exists[:, :, None], tokens, 0), jnp.where(exists, prefixes.scores, -jnp.inf)
    )


def _noise(key: jax.Array, step: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.gumbel(jax.random.fold_in(key, step), shape)


def _at_most(bound: jax.Array, gumbels: jax.Array) -> jax.Array:
    """Gumbels `[..., m]` conditioned on the largest of each m being `bound` `[...]`.

    Algorithm 1, in the form of the appendix, which does not overflow. -inf stays -inf.
    """
    largest = jnp.max(gumbels, axis=-1, keepdims=True)
    below = gumbels - largest
    log1mexp = jnp.where(
        below > -jnp.log(2.0), jnp.log(-jnp.expm1(below)), jnp.log1p(-jnp.exp(below))
    )
    v = bound[..., None] - gumbels + log1mexp
    shifted = bound[..., None] - jnp.maximum(v, 0.0) - jnp.log1p(jnp.exp(-jnp.abs(v)))
    return jnp.where(gumbels > -jnp.inf, shifted, -jnp.inf)
