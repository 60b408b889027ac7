import functools

import jax
import numpy as np
import pytest

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import BrevityPenalty, LengthPower
from t2t.errors import UserError
from tests.decoding.chains import EOS, Chain, cut, padded, prompts

BATCH, MAX_LENGTH, VOCAB = 24, 7, 7
CHAIN = Chain(VOCAB, fond_of_ending=0.7)


@functools.cache
def run(decoding):
    return run_on(CHAIN, decoding)


def run_on(chain, decoding, batch=None, active=None):
    batch = prompts(BATCH) if batch is None else batch
    generated = jax.jit(lambda b: generate(chain, b, decoding, active=active))(batch)
    return jax.tree.map(np.asarray, generated)


def reference(chain, prompt, beam, max_length, stops=(EOS,)):
    """Beam search in lists: [(score, tokens)] of the finished, best first, and the steps taken."""
    live, finished = [(0.0, ())], []
    for length in range(1, max_length + 1):
        continued = [
            (total + log_prob, (*tokens, token))
            for total, tokens in live
            for token, log_prob in enumerate(chain.log_probs(prompt, tokens))
        ]
        continued = sorted(continued, reverse=True)
        ended = [c for c in continued if c[1][-1] in stops or length == max_length]
        penalty = beam.length_penalty(length)
        finished += [(c[0] / penalty, c[1]) for c in ended if c in continued[: beam.size]]
        finished = sorted(finished, reverse=True)[: beam.size]
        live = [c for c in continued if c not in ended][: beam.size]
        if len(finished) == beam.size:
            best = {
                "first": -np.inf,
                "heuristic": live and live[0][0] / penalty,
                "exact": live
                and max(live[0][0] / beam.length_penalty(n) for n in (length, max_length)),
            }[beam.stop]
            if not live or best <= finished[-1][0]:
                break
    return finished, length


@pytest.mark.parametrize(
    ("size", "stop", "penalty"),
    [
        (4, "exact", LengthPower(1.0)),
        (3, "heuristic", LengthPower(1.0)),
        (2, "first", LengthPower(2.0)),
        (2, "exact", LengthPower(-0.5)),
        (4, "exact", BrevityPenalty(0.6)),
    ],
)
def test_equals_a_search_in_lists(size, stop, penalty):
    beam = Beam(size, num_returned=size, length_penalty=penalty, stop=stop)
    chain, steps = Chain(VOCAB, fond_of_ending=0.7), []
    generated = run_on(chain, Decoding(beam, MAX_LENGTH))
    for row, prompt in enumerate(prompts(BATCH)["decoder_input_tokens"]):
        finished, length = reference(CHAIN, prompt, beam, MAX_LENGTH)
        steps.append(length)
        expected = padded([tokens for _, tokens in finished], MAX_LENGTH)
        np.testing.assert_array_equal(generated.tokens[row], expected)
        np.testing.assert_allclose(generated.scores[row], [s for s, _ in finished], atol=2e-6)
    lengths = {len(cut(tokens)) for row in generated.tokens for tokens in row}
    assert len(lengths) > 3  # so that penalties matter
    assert stop == "exact" or min(steps) < MAX_LENGTH
    jax.effects_barrier()
    assert len(chain.steps) == max(steps) - 1


@pytest.mark.parametrize("stop", ["exact", "first"])
def test_several_tokens_that_end_a_sequence(stop):
    beam, others = Beam(2, 2, LengthPower(2.0), stop), (3, 4, 5)
    generated = run(Decoding(beam, MAX_LENGTH, stop_tokens=others))
    last = set()
    for row, prompt in enumerate(prompts(BATCH)["decoder_input_tokens"]):
        finished, _ = reference(CHAIN, prompt, beam, MAX_LENGTH, (EOS, *others))
        last |= {tokens[-1] for _, tokens in finished}
        expected = padded([tokens for _, tokens in finished], MAX_LENGTH)
        np.testing.assert_array_equal(generated.tokens[row], expected)
        np.testing.assert_allclose(generated.scores[row], [s for s, _ in finished], atol=2e-6)
    assert last >= {EOS, *others}


def test_ends_that_are_all_likelier_do_not_crowd_out_what_goes_on():
    class Fixed(Chain):
        """Whatever was said, the first token comes from the first row, others from the second."""

        def start(self, batch, max_length):
            logits, state = super().start(batch, max_length)
            return jax.numpy.broadcast_to(jax.numpy.log(first), logits.shape), state

        def decode_step(self, tokens, state):
            logits, state = super().decode_step(tokens, state)
            return jax.numpy.broadcast_to(jax.numpy.log(then), logits.shape), state

    first, then = np.array([1e-9, 0.4, 0.35, 0.25]), np.array([1e-9, 0.99, 0.005, 0.005])
    beam = Beam(1, length_penalty=LengthPower(3.0))
    found = run_on(Fixed(vocab=4), Decoding(beam, 4, stop_tokens=(2,)), prompts(1))
    np.testing.assert_array_equal(found.tokens, [[[3, EOS, 0, 0]]])
    np.testing.assert_allclose(found.scores, np.log(0.25 * 0.99) / 2**3, rtol=1e-5)


def test_ways_to_stop_lead_to_different_results():
    found = {
        tuple(
            tuple(reference(CHAIN, prompt, Beam(3, 1, LengthPower(1.0), stop), MAX_LENGTH)[0])
            for prompt in prompts(BATCH)["decoder_input_tokens"]
        )
        for stop in ("exact", "heuristic", "first")
    }
    assert len(found) == 3


def test_a_beam_as_wide_as_the_tree_finds_the_best_of_all_sequences():
    chain = Chain(vocab=4, seed=3)
    beam = Beam(40, num_returned=5, length_penalty=LengthPower(0.7))
    generated = run_on(chain, Decoding(beam, 4), prompts(6, vocab=4))
    for row, prompt in enumerate(prompts(6, vocab=4)["decoder_input_tokens"]):
        probabilities = chain.sequences(prompt, 4)
        scores = {t: np.log(p) / len(t) ** 0.7 for t, p in probabilities.items()}
        best = sorted(scores, key=scores.get, reverse=True)[:5]
        np.testing.assert_array_equal(generated.tokens[row], padded(best, 4))
        np.testing.assert_allclose(generated.scores[row], [scores[t] for t in best], atol=2e-6)


@pytest.mark.parametrize(
    "beam",
    [
        Beam(1, length_penalty=LengthPower(0.0)),
        Beam(1, length_penalty=LengthPower(0.0), stop="first"),
    ],
)
def test_a_beam_of_one_is_greedy(beam):
    wide, greedy = run(Decoding(beam, MAX_LENGTH)), run(Decoding(Greedy(), MAX_LENGTH))
    np.testing.assert_array_equal(wide.tokens, greedy.tokens)
    np.testing.assert_allclose(wide.scores, greedy.scores, rtol=1e-6)


def test_inputs_do_not_depend_on_each_other():
    order = np.random.default_rng(0).permutation(BATCH)[:5]
    batch = {name: x[order] for name, x in prompts(BATCH).items()}
    decoding = Decoding(Beam(3, 3, LengthPower(1.0), "heuristic"), MAX_LENGTH)
    generated, alone = run_on(CHAIN, decoding, batch), run(decoding)
    np.testing.assert_array_equal(generated.tokens, alone.tokens[order])
    np.testing.assert_array_equal(generated.scores, alone.scores[order])


def test_rows_that_are_not_active_are_zeros_and_do_not_keep_the_search_going():
    chain = Chain(VOCAB, fond_of_ending=0.7)
    beam = Beam(2, stop="first")
    batch = prompts(BATCH)
    needed = [reference(chain, p, beam, MAX_LENGTH)[1] for p in batch["decoder_input_tokens"]]
    active = np.array(needed) <= 3
    assert 0 < active.sum() < BATCH
    generated = run_on(chain, Decoding(beam, MAX_LENGTH), active=active)
    jax.effects_barrier()
    assert len(chain.steps) == max(n for n, a in zip(needed, active, strict=True) if a) - 1
    assert not generated.tokens[~active].any()
    assert not generated.scores[~active].any()
    assert generated.tokens[active].any(axis=(1, 2)).all()
    assert (generated.scores[active] < 0).all()


def test_the_prompt_is_read_once_and_every_step_has_a_row_per_hypothesis():
    class Counting(Chain):
        def start(self, batch, max_length):
            starts.append(batch["decoder_input_tokens"].shape)
            return super().start(batch, max_length)

    starts, chain = [], Counting(VOCAB)
    run_on(chain, Decoding(Beam(3), MAX_LENGTH))
    assert starts == [(BATCH, 2)]
    assert set(chain.rows) == {BATCH * 3}


def test_one_token_needs_no_step():
    chain = Chain(VOCAB)
    generated = run_on(chain, Decoding(Beam(3, 3, LengthPower(1.0)), 1))
    jax.effects_barrier()
    assert not chain.steps
    for row, prompt in enumerate(prompts(BATCH)["decoder_input_tokens"]):
        log_probs = chain.log_probs(prompt)
        best = np.argsort(-log_probs)[:3]
        np.testing.assert_array_equal(generated.tokens[row, :, 0], best)
        np.testing.assert_allclose(generated.scores[row], log_probs[best], rtol=1e-5)


def test_processors_change_scores_and_those_are_not_normalised_again():
    def only_4_and_end(log_probs, history):
        kept = (np.arange(VOCAB) == 4) | (np.arange(VOCAB) == EOS)
        return jax.numpy.where(kept[None, :], log_probs, -np.inf)

    decoding = Decoding(Beam(3, 3, LengthPower(0.0)), 5, processors=(only_4_and_end,))
    generated = run(decoding)
    possible = [(4,) * n + (EOS,) for n in range(5)] + [(4,) * 5]
    for row, prompt in enumerate(prompts(BATCH)["decoder_input_tokens"]):
        found = [cut(tokens) for tokens in generated.tokens[row]]
        assert len(set(found)) == 3
        assert set(found) <= set(possible)
        scores = [CHAIN.score(prompt, tokens) for tokens in found]
        np.testing.assert_allclose(generated.scores[row], scores, rtol=1e-5)


def test_hypotheses_that_do_not_exist_score_minus_infinity():
    def only_4(log_probs, history):
        return jax.numpy.where((np.arange(VOCAB) == 4)[None, :], log_probs, -np.inf)

    generated = run(Decoding(Beam(3, 3), 5, processors=(only_4,)))
    np.testing.assert_array_equal(generated.tokens[:, 0], 4)
    assert np.isfinite(generated.scores[:, 0]).all()
    assert not generated.tokens[:, 1:].any()
    assert np.isneginf(generated.scores[:, 1:]).all()


def test_where_everything_is_forbidden_nothing_is_found_and_the_search_ends():
    def nothing(log_probs, history):
        return log_probs - np.inf

    chain = Chain(VOCAB)
    generated = run_on(chain, Decoding(Beam(3, 2), 5, processors=(nothing,)))
    jax.effects_barrier()
    assert not generated.tokens.any()
    assert np.isneginf(generated.scores).all()
    assert not chain.steps


def test_without_an_end_of_sequence_all_hypotheses_are_of_the_greatest_length():
    generated = run_on(Chain(VOCAB, eos=None), Decoding(Beam(3, 3), 4))
    assert np.isfinite(generated.scores).all()
    assert (np.diff(generated.scores, axis=1) <= 0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "Beam.size must be at least 1, got 0"),
        ({"size": -3}, "Beam.size must be at least 1, got -3"),
        ({"num_returned": 0}, "Beam.num_returned must be at least 1, got 0"),
        ({"size": 2, "num_returned": 3}, "num_returned is 3, but a beam of size 2 .* raise"),
        ({"stop": "exactly"}, "Beam.stop: 'exactly' is none of .* Did you mean 'exact'"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        Beam(**settings)


@pytest.mark.parametrize("exponent", [400.0, 60.0, -60.0, -400.0])
def test_penalties_that_float32_cannot_hold_are_refused(exponent):
    beam = Beam(2, length_penalty=LengthPower(exponent))
    with pytest.raises(
        UserError, match=r"length_penalty = LengthPower\(.* at every length up to 7"
    ):
        generate(CHAIN, prompts(BATCH), Decoding(beam, MAX_LENGTH))


def test_the_penalty_of_a_users_own_function_has_to_be_above_0():
    beam = Beam(2, length_penalty=lambda length: 3.0 - length)
    with pytest.raises(UserError, match="not a finite number above 0 at every length"):
        generate(CHAIN, prompts(BATCH), Decoding(beam, MAX_LENGTH))
