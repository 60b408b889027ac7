import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.sampling import Sampling
from tests.decoding.chains import EOS, Chain, cut, prompts

CHAIN = Chain(fond_of_ending=2.0)
STRATEGIES = [
    Greedy(),
    Sampling(num_samples=2, temperature=1.5),
    Sampling(num_samples=2, distinct=True),
    Beam(2, 2),
]
NAMES = "{0.__class__.__name__}".format


def run(decoding, batch=None, **given):
    batch = prompts(8) if batch is None else batch
    generated = jax.jit(lambda b: generate(CHAIN, b, decoding, **given))(batch)
    return jax.tree.map(np.asarray, generated)


@functools.cache
def default(strategy):
    return run(Decoding(strategy, 5))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=NAMES)
def test_shapes_and_types(strategy):
    tokens, scores = default(strategy)
    assert (tokens.shape, tokens.dtype) == ((8, strategy.num_returned, 5), np.int32)
    assert (scores.shape, scores.dtype) == ((8, strategy.num_returned), np.float32)
    for row in tokens.reshape(-1, 5):
        assert not row[len(cut(row)) :].any()
    assert (tokens[:, :, :-1] == EOS).any()


def test_other_tokens_end_a_sequence_too():
    expected = default(Greedy()).tokens[:, 0].copy()
    others = expected[(expected != EOS) & (expected != 0)]
    stop = int(np.bincount(others).argmax())
    for row in expected:
        ends = np.flatnonzero(row == stop)
        row[ends[0] + 1 if len(ends) else 5 :] = 0
    found = run(Decoding(Greedy(), 5, stop_tokens=(stop,))).tokens[:, 0]
    np.testing.assert_array_equal(found, expected)
    assert (found != default(Greedy()).tokens[:, 0]).any()
    longer = run(Decoding(Greedy(), 5, min_length=2, stop_tokens=(stop,))).tokens[:, 0, :2]
    assert not np.isin(longer, [stop, EOS]).any()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=NAMES)
def test_padding_in_front_of_prompts_does_not_matter(strategy):
    batch = {
        "decoder_input_tokens": np.pad(
            prompts(8)["decoder_input_tokens"], ((0, 0), (3, 0)), constant_values=6
        ),
        "decoder_segment_ids": np.tile(np.array([0, 0, 0, 1, 1], np.int32), (8, 1)),
    }
    padded = run(Decoding(strategy, 5), batch)
    np.testing.assert_array_equal(padded.tokens, default(strategy).tokens)
    np.testing.assert_array_equal(padded.scores, default(strategy).scores)


@pytest.mark.parametrize("strategy", [Greedy(), Sampling(), Beam(2)], ids=NAMES)
def test_processors_see_prompts_and_what_follows(strategy):
    """Each token is forced to be one more than that in its row two columns before."""

    def two_columns_before(logits, history):
        before = jax.lax.dynamic_index_in_dim(
            history.tokens, history.column - 2, axis=1, keepdims=False
        )
        forced = 2 + (before - 1) % 5
        return jnp.where(jnp.arange(7)[None, :] == forced[:, None], logits, -jnp.inf)

    tokens = run(Decoding(strategy, 5, processors=(two_columns_before,))).tokens
    for prompt, row in zip(prompts(8)["decoder_input_tokens"], tokens, strict=True):
        expected = list(prompt)
        for _ in range(5):
            expected.append(2 + (expected[-2] - 1) % 5)
        assert row[0].tolist() == expected[2:]


@pytest.mark.parametrize(
    "strategy", [Greedy(), Beam(2, length_penalty=LengthPower(0.0))], ids=NAMES
)
def test_the_end_of_sequence_waits_for_the_least_length(strategy):
    tokens = run(Decoding(strategy, 5, min_length=3)).tokens
    assert (tokens[:, :, :3] != EOS).all()
    assert (tokens[:, :, 3] == EOS).any()
    assert (default(strategy).tokens[:, :, :3] == EOS).any()


def test_rows_draw_by_their_number_unless_told_otherwise():
    strategy = Sampling(num_samples=2, temperature=1.5)
    told = run(Decoding(strategy, 5), seeds=jnp.arange(8))
    np.testing.assert_array_equal(told.tokens, default(strategy).tokens)


def test_nothing_comes_back_to_the_host_and_one_shape_compiles_once():
    decoding = Decoding(Beam(2), 5)
    jitted = jax.jit(functools.partial(generate, CHAIN), static_argnums=1)
    batches = [jax.device_put(prompts(8, seed=seed)) for seed in range(3)]
    with jax.transfer_guard_device_to_host("disallow"):
        for batch in batches:
            jax.block_until_ready(jitted(batch, decoding))
    assert jitted._cache_size() == 1
