import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.greedy import greedy
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
def jitted():
    generate = jax.jit(lambda p, x, n: greedy(MODEL.bind(p), x, n), static_argnums=2)
    return lambda tokens, n=MAX_LENGTH: np.asarray(generate(params(), tokens, n))


@functools.cache
def naive():
    """One whole forward pass per token, each row until its end of sequence."""
    tokens = inputs()
    batch = len(tokens)
    forward = jax.jit(
        lambda p, x: MODEL.bind(p)({"encoder_input_tokens": tokens, "decoder_input_tokens": x})
    )
    decoder_inputs = np.full((batch, MAX_LENGTH + 1), START_ID, np.int32)
    for position in range(MAX_LENGTH):
        logits = forward(params(), decoder_inputs[:, :MAX_LENGTH])
        decoder_inputs[:, position + 1] = np.argmax(logits[:, position], axis=-1)
    output = decoder_inputs[:, 1:]
    for row in output:
        ends = np.flatnonzero(row == EOS_ID)
        if len(ends):
            row[ends[0] + 1 :] = 0
    return output


def test_the_example_is_worth_testing():
    output = naive()
    ends = [row.tolist().index(EOS_ID) for row in output if EOS_ID in row]
    assert 2 <= len(ends) < len(output)
    assert len(set(ends)) > 1
    assert len({tuple(row) for row in output}) > 5


def test_equals_taking_the_argmax_of_a_whole_forward_pass_for_every_token():
    output = jitted()(inputs())
    assert output.dtype == np.int32
    np.testing.assert_array_equal(output, naive())


def test_after_the_end_of_sequence_everything_is_zero():
    for row in jitted()(inputs()):
        if EOS_ID in row:
            end = row.tolist().index(EOS_ID)
            assert (row[:end] != EOS_ID).all()
            assert (row[end + 1 :] == 0).all()


@pytest.mark.parametrize("length", [1, 5])
def test_a_shorter_maximum_cuts_the_same_sequence(length):
    output = jitted()(inputs(), length)
    np.testing.assert_array_equal(output, naive()[:, :length])


def test_rows_of_padding_give_zeros_and_leave_the_others_alone():
    tokens = inputs()
    tokens[[2, 7]] = 0
    output = jitted()(tokens)
    expected = naive().copy()
    expected[[2, 7]] = 0
    np.testing.assert_array_equal(output, expected)


def test_a_batch_of_nothing_but_padding_is_zeros():
    np.testing.assert_array_equal(jitted()(np.zeros((8, 10), np.int32)), 0)


def test_a_row_does_not_depend_on_the_other_rows():
    order = np.random.default_rng(0).permutation(8)
    np.testing.assert_array_equal(jitted()(inputs()[order]), naive()[order])
    repeated = jitted()(np.repeat(inputs()[3:4], 8, axis=0))
    np.testing.assert_array_equal(repeated, np.repeat(naive()[3:4], 8, axis=0))


def test_padding_of_the_input_does_not_matter():
    longer = np.pad(inputs(), ((0, 0), (0, 6)))
    np.testing.assert_array_equal(jitted()(longer), naive())


class Countdown:
    """Stands in for a T5: row r says 9 until it ends after `tokens[r, 0]` tokens."""

    def __init__(self):
        self.positions = []

    special_tokens = SpecialTokens()

    def encode(self, batch):
        return batch["encoder_input_tokens"]

    def init_cache(self, encoded, max_length):
        return jnp.zeros(())

    def decode_step(self, tokens, batch, cache, position):
        jax.debug.callback(self.positions.append, position)
        said = jnp.where(position >= batch["encoder_input_tokens"][:, 0] - 1, EOS_ID, 9)
        return jax.nn.one_hot(said, 10), cache


@pytest.mark.parametrize(("lengths", "steps"), [((1, 2, 4), 4), ((1, 1, 0), 1), ((3, 99, 1), 8)])
def test_stops_when_every_row_has_ended(lengths, steps):
    model = Countdown()
    tokens = jnp.array(lengths, jnp.int32)[:, None]
    output = greedy(model, tokens, 8)
    jax.effects_barrier()
    assert sorted(int(position) for position in model.positions) == list(range(steps))
    expected = [([9] * 8 if n > 8 else [9] * (n - 1) + [1] * (n > 0)) for n in lengths]
    assert output.tolist() == [row + [0] * (8 - len(row)) for row in expected]
