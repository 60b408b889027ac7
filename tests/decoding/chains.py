"""Models small enough to be followed by hand."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2t.models.config import SpecialTokens

EOS = 1
_MODULUS = 97


class Memory(NamedTuple):
    """A hash of all that a row consists of: a row that takes the wrong state is found out."""

    value: jax.Array
    step: jax.Array

    def take(self, rows):
        return self._replace(value=self.value[rows])

    def repeat(self, n):
        return self._replace(value=jnp.repeat(self.value, n, axis=0))


class Chain:
    """The distribution of the next token is a row of a random table, chosen by all tokens so far.

    `steps` lists the calls of `decode_step`, `rows` how many rows each had.
    """

    def __init__(self, vocab=7, sharpness=1.5, fond_of_ending=0.0, seed=0, eos=EOS):
        table = np.random.default_rng(seed).normal(size=(_MODULUS, vocab)) * sharpness
        if eos is not None:
            table[:, eos] += fond_of_ending
        self.table = table.astype(np.float32)
        self.special_tokens = SpecialTokens(eos=eos)
        self.steps, self.rows = [], []

    def start(self, batch, max_length):
        segments = batch.get("decoder_segment_ids")
        tokens = batch["decoder_input_tokens"]
        real = jnp.ones(tokens.shape, bool) if segments is None else segments > 0
        value = jnp.zeros(tokens.shape[:1], jnp.int32)
        for column in range(tokens.shape[1]):
            value = jnp.where(real[:, column], _next(value, tokens[:, column]), value)
        return jnp.asarray(self.table)[value], Memory(value, jnp.array(0))

    def decode_step(self, tokens, state):
        self.rows.append(tokens.shape[0])
        jax.debug.callback(self.steps.append, state.step)
        value = _next(state.value, tokens)
        return jnp.asarray(self.table)[value], Memory(value, state.step + 1)

    def log_probs(self, prompt, generated=()):
        """Float64 `[vocab]`, of the token after these."""
        value = 0
        for token in (*prompt, *generated):
            value = _next(value, token)
        logits = self.table[value].astype(np.float64)
        return logits - np.log(np.exp(logits).sum())

    def score(self, prompt, generated):
        """The log-probability of a sequence, up to its end of sequence."""
        generated = cut(generated)
        return sum(
            self.log_probs(prompt, generated[:i])[token] for i, token in enumerate(generated)
        )

    def sequences(self, prompt, max_length, warp=lambda log_probs: log_probs, stops=(EOS,)):
        """{tokens: probability} of all sequences that end, or are `max_length` long."""
        found, open_ = {}, {(): 0.0}
        for length in range(1, max_length + 1):
            extended = {}
            for prefix, total in open_.items():
                warped = warp(self.log_probs(prompt, prefix))
                for token, log_prob in enumerate(warped - np.log(np.exp(warped).sum())):
                    ends = token in stops or length == max_length
                    (found if ends else extended)[*prefix, token] = total + log_prob
            open_ = extended
        return {tokens: float(np.exp(total)) for tokens, total in found.items()}


def cut(tokens, stops=(EOS,)):
    """As a tuple, without what comes after the end of sequence."""
    tokens = [int(token) for token in tokens]
    ends = [place for place, token in enumerate(tokens) if token in stops]
    return tuple(tokens[: ends[0] + 1] if ends else tokens)


def padded(sequences, max_length):
    return [list(tokens) + [0] * (max_length - len(tokens)) for tokens in sequences]


def prompts(rows, length=2, vocab=7, seed=0):
    tokens = np.random.default_rng(seed).integers(2, vocab, (rows, length), dtype=np.int32)
    return {"decoder_input_tokens": tokens}


def _next(value, token):
    return (value * 31 + token + 5) % _MODULUS
