import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.greedy import Greedy
from t2t.models.config import SpecialTokens
from t2t.models.definition import Model
from t2t.models.presets import t5

MODEL = Model(
    t5(
        vocab_size=24,
        d_model=16,
        d_ff=16,
        num_heads=2,
        head_dim=8,
        num_encoder_layers=1,
        num_decoder_layers=2,
        num_buckets=8,
        max_distance=10,
    )
)
MAX_LENGTH = 12
START_ID, EOS_ID = MODEL.config.tokens.start, MODEL.config.tokens.eos


@functools.cache
def params():
    """Random, and fond of ending: some rows do, after some steps, and some do not."""
    rng = np.random.default_rng(2)
    drawn = jax.tree.map(
        lambda leaf: (
            rng.normal(size=leaf.shape).astype(np.float32) * leaf.shape[-2] ** -0.5
            if leaf.ndim > 1
            else np.ones(leaf.shape, np.float32)
        ),
        MODEL.abstract_params,
    )
    drawn["lm_head"]["kernel"][:, EOS_ID] *= 1.3
    return drawn


def inputs():
    tokens = np.random.default_rng(2).integers(2, 24, (8, 10), dtype=np.int32)
    for row in range(8):
        tokens[row, 10 - row :] = 0
    return tokens


@functools.cache
def jitted(length):
    decoding = Decoding(Greedy(), length)
    return jax.jit(lambda p, b, a: generate(MODEL.bind(p), b, decoding, active=a))


def run(tokens, length=MAX_LENGTH, active=None):
    prompt = np.full((len(tokens), 1), START_ID, np.int32)
    batch = {"encoder_input_tokens": tokens, "decoder_input_tokens": prompt}
    active = np.ones(len(tokens), bool) if active is None else active
    generated = jitted(length)(params(), batch, active)
    assert generated.tokens.shape == (len(tokens), 1, length)
    return np.asarray(generated.tokens)[:, 0], np.asarray(generated.scores)[:, 0]


@functools.cache
def naive():
    """One whole forward pass per token, each row until its end of sequence; and its score."""
    tokens = inputs()
    batch = len(tokens)
    forward = jax.jit(
        lambda p, x: MODEL.bind(p)({"encoder_input_tokens": tokens, "decoder_input_tokens": x})
    )
    decoder_inputs = np.full((batch, MAX_LENGTH + 1), START_ID, np.int32)
    scores = np.zeros(batch)
    for position in range(MAX_LENGTH):
        logits = np.asarray(forward(params(), decoder_inputs[:, :MAX_LENGTH])[:, position], float)
        log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        ended = (decoder_inputs[:, 1 : position + 1] == EOS_ID).any(axis=1)
        scores += np.where(ended, 0, log_probs.max(axis=-1))
        decoder_inputs[:, position + 1] = np.argmax(logits, axis=-1)
    output = decoder_inputs[:, 1:]
    for row in output:
        ends = np.flatnonzero(row == EOS_ID)
        if len(ends):
            row[ends[0] + 1 :] = 0
    return output, scores


def test_the_example_is_worth_testing():
    output, _ = naive()
    ends = [row.tolist().index(EOS_ID) for row in output if EOS_ID in row]
    assert 2 <= len(ends) < len(output)
    assert len(set(ends)) > 1
    assert len({tuple(row) for row in output}) > 5


def test_equals_taking_the_argmax_of_a_whole_forward_pass_for_every_token():
    output, scores = run(inputs())
    assert output.dtype == np.int32
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(output, naive()[0])
    np.testing.assert_allclose(scores, naive()[1], rtol=1e-5)


def test_after_the_end_of_sequence_everything_is_zero():
    for row in run(inputs())[0]:
        if EOS_ID in row:
            end = row.tolist().index(EOS_ID)
            assert (row[:end] != EOS_ID).all()
            assert (row[end + 1 :] == 0).all()


@pytest.mark.parametrize("length", [1, 5])
def test_a_shorter_maximum_cuts_the_same_sequence(length):
    np.testing.assert_array_equal(run(inputs(), length)[0], naive()[0][:, :length])


def test_inactive_rows_give_zeros_and_leave_the_others_alone():
    active = ~np.isin(np.arange(8), [2, 7])
    tokens = np.where(active[:, None], inputs(), 0)  # of padding alone: what fills up a batch
    output, scores = run(tokens, active=active)
    np.testing.assert_array_equal(output, np.where(active[:, None], naive()[0], 0))
    np.testing.assert_allclose(scores, np.where(active, naive()[1], 0), rtol=1e-5)


def test_a_row_does_not_depend_on_the_other_rows():
    order = np.random.default_rng(0).permutation(8)
    np.testing.assert_array_equal(run(inputs()[order])[0], naive()[0][order])
    repeated = run(np.repeat(inputs()[3:4], 8, axis=0))[0]
    np.testing.assert_array_equal(repeated, np.repeat(naive()[0][3:4], 8, axis=0))


def test_padding_of_the_input_does_not_matter():
    longer = np.pad(inputs(), ((0, 0), (0, 6)))
    np.testing.assert_array_equal(run(longer)[0], naive()[0])


class Counted(NamedTuple):
    position: jax.Array
    lengths: jax.Array

    def repeat(self, n):
        assert n == 1
        return self


class Countdown:
    """Stands in for a model: a row says 9 until it ends after as many tokens as its prompt says."""

    def __init__(self):
        self.positions = []

    special_tokens = SpecialTokens()

    def start(self, batch, max_length):
        lengths = batch["decoder_input_tokens"][:, 0]
        return self._said(jnp.array(0), lengths), Counted(jnp.array(0), lengths)

    def decode_step(self, tokens, state):
        jax.debug.callback(self.positions.append, state.position)
        state = Counted(state.position + 1, state.lengths)
        return self._said(state.position, state.lengths), state

    def _said(self, position, lengths):
        return jax.nn.one_hot(jnp.where(position >= lengths - 1, EOS_ID, 9), 10)


@pytest.mark.parametrize(("lengths", "steps"), [((1, 2, 4), 3), ((1, 1, 0), 0), ((3, 99, 1), 7)])
def test_stops_when_every_row_has_ended(lengths, steps):
    """The prompt gives the first token, so a step fewer than tokens is needed."""
    model, prompt = Countdown(), jnp.array(lengths, jnp.int32)[:, None]
    batch = {"decoder_input_tokens": prompt}
    decoding, active = Decoding(Greedy(), 8), prompt[:, 0] > 0
    generated = jax.jit(lambda b, a: generate(model, b, decoding, active=a))(batch, active)
    jax.effects_barrier()
    assert sorted(int(position) for position in model.positions) == list(range(steps))
    expected = [([9] * 8 if n > 8 else [9] * (n - 1) + [1] * (n > 0)) for n in lengths]
    assert generated.tokens[:, 0].tolist() == [row + [0] * (8 - len(row)) for row in expected]


def test_a_row_whose_every_token_is_forbidden_ends_and_scores_minus_infinity():
    def nothing_after_two_of_the_first(logits, history):
        stuck = (history.step == 2) & (jnp.arange(2) == 0)
        return jnp.where(stuck[:, None], -jnp.inf, logits)

    decoding = Decoding(Greedy(), 6, processors=(nothing_after_two_of_the_first,))
    batch = {"decoder_input_tokens": np.array([[5], [4]], np.int32)}
    generated = jax.jit(lambda b: generate(Countdown(), b, decoding))(batch)
    assert generated.tokens[:, 0].tolist() == [[9, 9, 0, 0, 0, 0], [9, 9, 9, 1, 0, 0]]
    assert generated.scores[0, 0] == -np.inf
    np.testing.assert_allclose(generated.scores[1, 0], 4 * (1 - np.log(np.e + 9)), rtol=1e-5)
