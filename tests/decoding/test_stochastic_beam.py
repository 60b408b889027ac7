import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.sampling import Sampling
from t2t.decoding.stochastic_beam import _at_most
from tests.decoding.chains import EOS, Chain, cut, padded, prompts
from tests.decoding.goodness_of_fit import p_value

CHAIN, ROWS, LENGTH = Chain(vocab=4, sharpness=1.0), 3000, 2
PROMPT = (3, 2)


@functools.cache
def jitted(chain, decoding):
    return jax.jit(lambda b, s, a: generate(chain, b, decoding, seeds=s, active=a))


def run(decoding, batch=None, seeds=None, active=None, chain=CHAIN):
    batch = prompts(8, vocab=4) if batch is None else batch
    rows = len(batch["decoder_input_tokens"])
    seeds = np.arange(rows, dtype=np.int32) if seeds is None else seeds
    active = np.ones(rows, bool) if active is None else active
    return jax.tree.map(np.asarray, jitted(chain, decoding)(batch, seeds, active))


@functools.cache
def many(temperature=1.0):
    strategy = Sampling(temperature, num_samples=3, distinct=True, seed=1)
    batch = {"decoder_input_tokens": np.tile(np.array(PROMPT, np.int32), (ROWS, 1))}
    return [[cut(s) for s in row] for row in run(Decoding(strategy, LENGTH), batch).tokens]


def without_replacement(probabilities, count):
    """{(first, second, ...): probability} of drawing one sequence after the other."""
    drawn = {}
    for order in itertools.permutations(probabilities, count):
        left, product = 1.0, 1.0
        for tokens in order:
            product *= probabilities[tokens] / left
            left -= probabilities[tokens]
        drawn[order] = product
    return drawn


def test_sequences_of_an_input_are_distinct():
    assert all(len(set(row)) == 3 for row in many())


def test_the_first_sequence_is_an_ordinary_sample():
    expected = CHAIN.sequences(PROMPT, LENGTH)
    assert len(expected) == 13
    assert p_value([row[0] for row in many()], expected) > 0.01


def test_the_others_are_drawn_without_replacement():
    probabilities = CHAIN.sequences(PROMPT, LENGTH)
    assert p_value([tuple(row) for row in many()], without_replacement(probabilities, 3)) > 0.01
    last = {}
    for order, probability in without_replacement(probabilities, 3).items():
        last[order[2]] = last.get(order[2], 0.0) + probability
    assert p_value([row[2] for row in many()], last) > 0.01
    assert p_value([row[2] for row in many()], probabilities) < 1e-6


def test_several_tokens_end_a_sequence():
    batch = {"decoder_input_tokens": np.tile(np.array(PROMPT, np.int32), (ROWS, 1))}
    strategy, stops = Sampling(num_samples=2, distinct=True, seed=2), (EOS, 2)
    tokens, _ = run(Decoding(strategy, 3, stop_tokens=(2,)), batch)
    drawn = [tuple(cut(sample, stops) for sample in row) for row in tokens]
    probabilities = CHAIN.sequences(PROMPT, 3, stops=stops)
    assert p_value(drawn, without_replacement(probabilities, 2)) > 0.01
    assert tokens.tolist() == [padded(row, 3) for row in drawn]


def test_warping_changes_what_is_drawn():
    warped = CHAIN.sequences(PROMPT, LENGTH, lambda log_probs: log_probs / 0.6)
    assert p_value([row[0] for row in many(0.6)], warped) > 0.01
    expected = without_replacement(warped, 2)
    assert p_value([tuple(row[:2]) for row in many(0.6)], expected) > 0.01


SEEDS = np.arange(50, 58, dtype=np.int32)
DECODING = Decoding(Sampling(temperature=2.0, num_samples=4, distinct=True), 5)


@functools.cache
def drawn():
    return run(DECODING, seeds=SEEDS)


def test_scores_are_log_probabilities_of_the_model_before_warping():
    inputs = prompts(8, vocab=4)["decoder_input_tokens"]
    for prompt, tokens, scores in zip(inputs, *drawn(), strict=True):
        expected = [CHAIN.score(prompt, sample) for sample in tokens]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
    lengths = {len(cut(sample)) for row in drawn().tokens for sample in row}
    assert len(lengths) > 2


def test_results_depend_on_the_seed_of_an_input_and_not_on_its_neighbours():
    order = np.array([6, 1, 3, 3, 2, 0, 1, 7])  # others beside it, and other rows
    batch = {name: x[order] for name, x in prompts(8, vocab=4).items()}
    generated = run(DECODING, batch, SEEDS[order])
    np.testing.assert_array_equal(generated.tokens, drawn().tokens[order])
    np.testing.assert_array_equal(generated.scores, drawn().scores[order])


def test_inactive_rows_are_zeros_and_do_not_keep_the_others_waiting():
    chain = Chain(vocab=4, sharpness=1.0, fond_of_ending=2.0)
    decoding = Decoding(Sampling(num_samples=2, distinct=True), 8)
    everyone = run(decoding, seeds=SEEDS, chain=chain)
    lengths = np.array([max(len(cut(s)) for s in row) for row in everyone.tokens])
    active = lengths < lengths.max()
    chain.steps.clear()
    generated = run(decoding, seeds=SEEDS, active=active, chain=chain)
    jax.effects_barrier()
    assert 0 < len(chain.steps) == lengths[active].max() - 1
    np.testing.assert_array_equal(
        generated.tokens, np.where(active[:, None, None], everyone.tokens, 0)
    )
    np.testing.assert_array_equal(generated.scores, np.where(active[:, None], everyone.scores, 0))


def test_more_samples_than_sequences():
    def only_2_and_end(logits, history):
        return jnp.where((np.arange(4) % 3 > 0)[None, :] & (np.arange(4) < 3), logits, -jnp.inf)

    strategy = Sampling(num_samples=5, distinct=True)
    generated = run(Decoding(strategy, 2, processors=(only_2_and_end,)))
    for row, scores in zip(generated.tokens, generated.scores, strict=True):
        assert {tuple(tokens) for tokens in row[:3]} == {(1, 0), (2, 1), (2, 2)}
        assert not row[3:].any()
        assert np.isfinite(scores[:3]).all()
        assert np.isneginf(scores[3:]).all()


def test_prefixes_that_may_not_go_on_make_room_for_others():
    def nothing_after_3(logits, history):
        return jnp.where((history.last == 3)[:, None], -jnp.inf, logits)

    batch = {"decoder_input_tokens": np.full((8, 1), 2, np.int32)}
    decoding = Decoding(Sampling(num_samples=3, distinct=True), 4, processors=(nothing_after_3,))
    generated = run(decoding, batch)
    exists = np.isfinite(generated.scores)
    assert exists[:, :2].all()
    assert 3 not in generated.tokens[:, :, :-1]
    assert 3 in generated.tokens[:, :, -1]
    assert not generated.tokens[~exists].any()


def test_noise_is_bound_by_that_of_the_prefix():
    """As algorithm 1 writes it, in float64, against the form that float32 can bear."""
    rng = np.random.default_rng(0)
    bound, gumbels = rng.normal(size=(6,)) * 5, rng.normal(size=(6, 9)) * 5
    gumbels[2, 4] = -np.inf
    largest = gumbels.max(axis=1, keepdims=True)
    expected = -np.log(np.exp(-bound)[:, None] - np.exp(-largest) + np.exp(-gumbels))
    actual = _at_most(jnp.asarray(bound, jnp.float32), jnp.asarray(gumbels, jnp.float32))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.max(actual, axis=1), bound, rtol=1e-6)
