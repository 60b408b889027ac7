import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.greedy import Greedy
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError
from tests.decoding.chains import EOS, Chain, cut, padded, prompts
from tests.decoding.goodness_of_fit import p_value

CHAIN, ROWS, LENGTH = Chain(vocab=5, sharpness=1.0), 3000, 3
PROMPT = (3, 2)


@functools.cache
def jitted(chain, decoding):
    return jax.jit(lambda b, s, a: generate(chain, b, decoding, seeds=s, active=a))


def run(decoding, batch=None, seeds=None, active=None, chain=CHAIN):
    batch = prompts(8, vocab=5) if batch is None else batch
    rows = len(batch["decoder_input_tokens"])
    seeds = np.arange(rows, dtype=np.int32) if seeds is None else seeds
    active = np.ones(rows, bool) if active is None else active
    return jax.tree.map(np.asarray, jitted(chain, decoding)(batch, seeds, active))


def many(strategy, length=LENGTH):
    """Of one prompt, `ROWS` times: [[tokens of a sample, ...] of a row, ...]."""
    batch = {"decoder_input_tokens": np.tile(np.array(PROMPT, np.int32), (ROWS, 1))}
    tokens = run(Decoding(strategy, length), batch).tokens
    return [[cut(sample) for sample in row] for row in tokens]


@functools.cache
def pairs():
    return many(Sampling(num_samples=2, seed=3))


@pytest.mark.parametrize("sample", [0, 1])
def test_sequences_come_as_often_as_the_model_says(sample):
    expected = CHAIN.sequences(PROMPT, LENGTH)
    assert len(expected) > 50
    assert p_value([row[sample] for row in pairs()], expected) > 0.01


def test_several_tokens_end_a_sequence():
    batch = {"decoder_input_tokens": np.tile(np.array(PROMPT, np.int32), (ROWS, 1))}
    tokens, scores = run(Decoding(Sampling(seed=4), LENGTH, stop_tokens=(2, 4)), batch)
    stops, drawn = (EOS, 2, 4), tokens[:, 0].tolist()
    said = [cut(row, stops) for row in drawn]
    assert p_value(said, CHAIN.sequences(PROMPT, LENGTH, stops=stops)) > 0.01
    assert drawn == padded(said, LENGTH)
    expected = [CHAIN.score(PROMPT, one) for one in said[:50]]
    np.testing.assert_allclose(scores[:50, 0], expected, rtol=1e-5)


def test_a_wrong_distribution_would_be_noticed():
    hotter = CHAIN.sequences(PROMPT, LENGTH, warp=lambda log_probs: log_probs / 1.4)
    assert p_value([row[0] for row in pairs()], hotter) < 1e-4


def test_samples_of_an_input_are_independent():
    first = CHAIN.sequences(PROMPT, 1)
    expected = {a + b: first[a] * first[b] for a, b in itertools.product(first, first)}
    assert p_value([one[:1] + other[:1] for one, other in pairs()], expected) > 0.01


def warped(log_probs):
    """Temperature 0.8, the 4 likeliest, of those a nucleus of 0.9, of those at least 0.2 x best."""
    log_probs = log_probs / 0.8
    order = np.argsort(-log_probs)[:4]
    probabilities = np.exp(log_probs[order]) / np.exp(log_probs[order]).sum()
    order = order[: np.searchsorted(np.cumsum(probabilities), 0.9) + 1]
    order = order[log_probs[order] >= log_probs[order[0]] + np.log(0.2)]
    kept = np.full_like(log_probs, -1e9)
    kept[order] = log_probs[order]
    return kept


def test_warping_comes_in_the_order_temperature_top_k_top_p_min_p():
    sampled = many(Sampling(temperature=0.8, top_k=4, top_p=0.9, min_p=0.2))
    expected = CHAIN.sequences(PROMPT, LENGTH, warped)
    expected = {tokens: p for tokens, p in expected.items() if p > 1e-9}
    assert 10 < len(expected) < len(CHAIN.sequences(PROMPT, LENGTH))
    assert p_value([row[0] for row in sampled], expected) > 0.01


def test_the_likeliest_of_one_is_greedy():
    sampled = run(Decoding(Sampling(top_k=1, temperature=3.0), 6))
    greedy = run(Decoding(Greedy(), 6))
    np.testing.assert_array_equal(sampled.tokens, greedy.tokens)
    np.testing.assert_array_equal(sampled.scores, greedy.scores)


DECODING = Decoding(Sampling(temperature=2.0, num_samples=3, seed=5), 6)
SEEDS = np.arange(100, 108, dtype=np.int32)


@functools.cache
def drawn():
    return run(DECODING, seeds=SEEDS)


def test_scores_are_log_probabilities_of_the_model_before_warping():
    for prompt, tokens, scores in zip(
        prompts(8, vocab=5)["decoder_input_tokens"], *drawn(), strict=True
    ):
        expected = [CHAIN.score(prompt, sample) for sample in tokens]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_results_depend_on_the_seed_of_an_input_and_not_on_its_neighbours():
    order = np.array([6, 1, 3])
    batch = {name: x[order] for name, x in prompts(8, vocab=5).items()}
    generated = run(DECODING, batch, SEEDS[order])
    np.testing.assert_array_equal(generated.tokens, drawn().tokens[order])
    np.testing.assert_array_equal(generated.scores, drawn().scores[order])


def test_samples_do_not_depend_on_how_many_there_are():
    fewer = Decoding(Sampling(temperature=2.0, num_samples=1, seed=5), 6)
    np.testing.assert_array_equal(run(fewer, seeds=SEEDS).tokens, drawn().tokens[:, :1])


def test_seeds_of_the_strategy_and_of_the_inputs_both_count():
    same = {"decoder_input_tokens": np.tile(np.array(PROMPT, np.int32), (8, 1))}
    choices = (np.arange(8, dtype=np.int32), np.zeros(8, np.int32), SEEDS)
    by_row, equal, other = (run(DECODING, same, seeds) for seeds in choices)
    assert len({row.tobytes() for row in by_row.tokens}) == 8
    assert len({row.tobytes() for row in equal.tokens}) == 1
    np.testing.assert_array_equal(equal.tokens[0], by_row.tokens[0])
    assert (by_row.tokens != other.tokens).any()
    reseeded = Decoding(Sampling(temperature=2.0, num_samples=3, seed=6), 6)
    assert (run(reseeded, same).tokens != by_row.tokens).any()


def test_inactive_rows_are_zeros_and_do_not_keep_the_others_waiting():
    chain = Chain(vocab=5, sharpness=1.0, fond_of_ending=1.5)
    everyone = run(DECODING, seeds=SEEDS, chain=chain)
    lengths = np.array([max(len(cut(s)) for s in row) for row in everyone.tokens])
    active = lengths < lengths.max()
    chain.steps.clear()
    generated = run(DECODING, seeds=SEEDS, active=active, chain=chain)
    jax.effects_barrier()
    assert len(chain.steps) == lengths[active].max() - 1
    np.testing.assert_array_equal(
        generated.tokens, np.where(active[:, None, None], everyone.tokens, 0)
    )
    np.testing.assert_array_equal(generated.scores, np.where(active[:, None], everyone.scores, 0))


def test_samples_that_may_not_go_on_score_minus_infinity():
    def nothing_after_3(logits, history):
        return jnp.where((history.last == 3)[:, None], -jnp.inf, logits)

    decoding = Decoding(Sampling(num_samples=4), 6, processors=(nothing_after_3,))
    batch = {"decoder_input_tokens": np.full((6, 1), 2, np.int32)}
    generated = run(decoding, batch)
    stuck = np.isneginf(generated.scores)
    assert 0 < stuck.sum() < stuck.size
    for tokens, is_stuck in zip(generated.tokens.reshape(-1, 6), stuck.reshape(-1), strict=True):
        said = np.trim_zeros(tokens, "b")
        assert is_stuck == (3 in tokens[:-1])
        assert not is_stuck or said[-1] == 3
    assert EOS in generated.tokens


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0.0.*Greedy"),
        ({"temperature": -1.0}, "temperature must be above 0 and finite, got -1.0"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 0.0}, r"top_p must be in \(0, 1\], got 0.0"),
        ({"top_p": 1.5}, r"top_p must be in \(0, 1\], got 1.5"),
        ({"min_p": -0.1}, r"min_p must be in \[0, 1\], got -0.1"),
        ({"min_p": 1.1}, r"min_p must be in \[0, 1\], got 1.1"),
        ({"num_samples": 0}, "Sampling.num_samples must be at least 1, got 0"),
        ({"seed": -1}, "Sampling.seed must be from 0 to 2 .* got -1"),
        ({"seed": 2**32}, "Sampling.seed must be from 0 to 2 .* got 4294967296"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        Sampling(**settings)
