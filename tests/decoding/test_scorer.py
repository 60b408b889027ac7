import dataclasses
import functools
import re

import jax
import numpy as np
import pytest

from t2t.data.converters import DecoderFeatureConverter, EncDecFeatureConverter
from t2t.data.features import Feature
from t2t.decoding.scorer import Scorer
from t2t.errors import UserError
from t2t.models.config import SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.encoder_decoder import EncoderDecoder, SourceEncoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead
from t2t.models.positions import LearnedPositions, RoPE, TwoDimensionalPositions
from t2t.models.presets import t5
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack, texts

SMALL = {"d_model": 8, "d_ff": 8, "num_heads": 2, "head_dim": 4}
T5 = t5(vocab_size=VOCAB, **SMALL, num_encoder_layers=1, num_decoder_layers=1)
GPT = DecoderOnly(
    VOCAB, stack(num_layers=1, positions=RoPE()), tokens=SpecialTokens(pad=None, start=3)
)
PREFIX_LM = DecoderOnly(VOCAB, stack(positions=LearnedPositions(64)), prefix_lm=True)
BART = EncoderDecoder(
    VOCAB,
    stack(num_layers=1, positions=LearnedPositions(40)),
    stack(num_layers=1, positions=LearnedPositions(21), cross_attention=stack().attention),
)
MODELS = {"t5": T5, "gpt": GPT, "prefix_lm": PREFIX_LM}
FEATURE = Feature(Numbers())
FEATURES = {"inputs": FEATURE, "targets": FEATURE}
LONGEST = 24


def records(count=21, seed=0):
    """Pairs of all lengths."""
    rng = np.random.default_rng(seed)
    inputs, targets = (texts(rng.integers(1, LONGEST, count), seed + i) for i in (1, 2))
    return [{"inputs": x, "targets": y} for x, y in zip(inputs, targets, strict=True)]


def make(name, features=FEATURES, batch_size=4):
    config = MODELS[name]
    return Scorer(Model(config), random_params(config), features, batch_size=batch_size)


@functools.cache
def scorer_of(name):
    """One for all tests, which need not compile it again."""
    return make(name)


@functools.cache
def trained_on(name, names):
    """The batches of training, and their log-probabilities, of rows of one length."""
    config = MODELS[name]
    model, params, ids = Model(config), random_params(config), config.tokens
    kind = EncDecFeatureConverter if name == "t5" else DecoderFeatureConverter
    converter = kind(pack=False, pad_id=ids.pad or 0, bos_id=ids.start)
    forward = jax.jit(lambda p, batch: jax.nn.log_softmax(model.bind(p)(batch)))
    lengths = dict.fromkeys(names, LONGEST + 1)

    def call(examples):
        batch = converter.convert_rows([[example] for example in examples], lengths)
        return batch, np.asarray(forward(params, batch))

    return call


def as_in_training(name, given):
    """Log-probabilities of each record's targets where training takes its loss."""
    names = tuple(given[0])
    examples = [
        {field: np.array([*Numbers().encode(text), 1], np.int32) for field, text in record.items()}
        for record in given
    ]
    batch, found = trained_on(name, names)(examples)
    result = []
    for row, weights in enumerate(batch["decoder_loss_weights"]):
        places = np.flatnonzero(weights)
        result.append(found[row, places, batch["decoder_target_tokens"][row, places]])
    return result


def close(scored, expected):
    for one, other in zip(scored, expected, strict=True):
        np.testing.assert_allclose(one.log_probs, other, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_equals_minus_the_loss_of_training(name):
    given = records()
    scored = list(scorer_of(name).score(given))
    close(scored, as_in_training(name, given))
    assert [one.text for one in scored] == [record["targets"] for record in given]
    assert all(one.tokens.tolist() == [*Numbers().encode(one.text), 1] for one in scored)
    assert len({round(one.score(), 5) for one in scored}) == len(given)


@pytest.mark.parametrize("name", ["gpt", "prefix_lm"])
def test_targets_alone_are_scored_from_the_start_token_on(name):
    given = [{"targets": record["targets"]} for record in records()]
    close(scorer_of(name).score(given), as_in_training(name, given))


def test_a_text_to_go_on_from_is_read_as_it_is_when_generating():
    """A task of targets alone has no inputs that could be read both ways."""
    alone = {"targets": FEATURES["targets"]}
    given = records()
    scores = [
        list(Scorer(Model(config), random_params(PREFIX_LM), alone).score(given))
        for config in (PREFIX_LM, dataclasses.replace(PREFIX_LM, prefix_lm=False))
    ]
    close(scores[0], [one.log_probs for one in scores[1]])


def test_a_prefix_language_model_reads_inputs_both_ways():
    given = records()
    causal = Scorer(
        Model(dataclasses.replace(PREFIX_LM, prefix_lm=False)), random_params(PREFIX_LM), FEATURES
    )
    differ = [
        abs(one.score() - other.score()) > 1e-3
        for one, other in zip(scorer_of("prefix_lm").score(given), causal.score(given), strict=True)
    ]
    assert all(differ)


@pytest.mark.parametrize(("name", "batch_size"), [("t5", 1), ("gpt", 32)])
def test_scores_do_not_depend_on_the_batch_size_nor_on_the_others(name, batch_size):
    given = records(9)
    expected = [one.log_probs for one in scorer_of(name).score(given)]
    close(make(name, batch_size=batch_size).score(given), expected)
    close(scorer_of(name).score(given[::-1]), expected[::-1])


def ragged(count=13, seed=0):
    """Records with one to six candidates."""
    rng = np.random.default_rng(seed)
    return [
        {"inputs": text, "candidates": texts(rng.integers(1, 20, rng.integers(1, 7)), seed + i)}
        for i, text in enumerate(texts(rng.integers(1, LONGEST, count), seed))
    ]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("normalize", [False, True])
def test_candidates_rank_by_their_scores(name, normalize):
    scorer, given = scorer_of(name), ragged()
    pairs = [{"inputs": r["inputs"], "targets": c} for r in given for c in r["candidates"]]
    scores = iter([one.score(normalize=normalize) for one in scorer.score(pairs)])
    rankings = list(scorer.rank(given, normalize=normalize))
    assert len({len(ranking.scores) for ranking in rankings}) > 2
    for record, ranking in zip(given, rankings, strict=True):
        expected = [next(scores) for _ in record["candidates"]]
        np.testing.assert_allclose(ranking.scores, expected, atol=1e-4)
        assert ranking.best == record["candidates"][int(np.argmax(expected))]


def test_normalizing_divides_by_the_number_of_tokens():
    (ranking,) = scorer_of("gpt").rank([{"candidates": ["5", "5 6 7"]}], normalize=True)
    expected = [one.log_probs.mean() for one in ranking.candidates]
    np.testing.assert_allclose(ranking.scores, expected, rtol=1e-6)
    assert [len(one.tokens) for one in ranking.candidates] == [2, 4]


def test_inputs_are_encoded_once_whatever_the_number_of_candidates():
    scorer = make("t5")
    rows = []
    encode = scorer._likelihoods._encode
    scorer._likelihoods._encode = lambda x, n: rows.append((n > 0).sum()) or encode(x, n)
    list(scorer.rank(ragged()))
    assert sum(rows) == 13


def test_compilations_are_counted_by_length_classes():
    scorer = make("t5")
    # With the end of sequence, inputs are of the classes 16, 32 and 64, targets of 16 and 32.
    for lengths in [(3, 3), (15, 8), (20, 3), (31, 14), (20, 20), (40, 3), (40, 9)] * 2:
        inputs, target = texts(lengths)
        list(scorer.score([{"inputs": inputs, "targets": target}] * 9))
    assert scorer.throughput.compilations == 3 + 4
    scorer = make("gpt")
    # Rows are of the classes 32 and 64, targets of 16 and 32.
    for lengths in [(20, 3), (12, 14), (10, 18), (30, 3), (30, 8), (40, 20)] * 2:
        inputs, target = texts(lengths)
        list(scorer.score([{"inputs": inputs, "targets": target}] * 9))
    assert scorer.throughput.compilations == 4


def test_throughput_counts_scored_tokens():
    scorer = make("t5")
    given = ragged()
    (*rankings,) = scorer.rank(given)
    found = scorer.throughput
    assert found.records == len(given)
    assert found.tokens == sum(len(c.tokens) for ranking in rankings for c in ranking.candidates)
    assert found.seconds > 0
    assert found.compile_seconds > 0
    assert re.search(r"^\d+ records .* records/s, [\d,]+ scored tokens/s", found.describe())


def test_a_language_model_goes_on_from_inputs_without_an_end():
    (alone,) = make("gpt", {"targets": FEATURE}).score([{"inputs": "4 5", "targets": "6"}])
    (whole,) = scorer_of("gpt").score([{"targets": "4 5 6"}])
    np.testing.assert_allclose(alone.log_probs, whole.log_probs[2:], atol=1e-5)


def test_empty_texts():
    no_end = dataclasses.replace(FEATURE, add_eos=False)
    features = {"inputs": FEATURE, "targets": no_end}
    for name in MODELS:
        empty, other = make(name, features).score(
            [{"inputs": "", "targets": ""}, {"inputs": "", "targets": "4"}]
        )
        assert (empty.score(), empty.score(normalize=True), len(empty.tokens)) == (0, 0, 0)
        assert other.score() < 0
    with pytest.raises(UserError, match=r"Record 1: the inputs are no tokens at all"):
        list(
            make("t5", {"inputs": no_end, "targets": FEATURE}).score(
                [{"inputs": "", "targets": ""}]
            )
        )
    with pytest.raises(UserError, match="Record 1: the candidate '' is no tokens at all"):
        list(make("gpt", features).rank([{"inputs": "3", "candidates": ["4", ""]}]))
    assert list(scorer_of("t5").score([])) == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"inputs": "3"}, "Record 2 has no 'targets' to score. It has 'inputs'."),
        ({"inputs": "3", "target": "4"}, "It has 'inputs', 'target'. Did you mean 'targets'?"),
        ({"inputs": "3", "targets": ["4"]}, r"Record 2: 'targets' is \['4'\]; it must be a string"),
        ({"inputs": 3, "targets": "4"}, "Record 2: 'inputs' is 3; it must be a string"),
        ({"targets": "4"}, "Record 2 has no 'inputs', which this model's encoder reads"),
    ],
)
def test_records_to_score_are_checked(record, message):
    with pytest.raises(UserError, match=message):
        list(scorer_of("t5").score([{"inputs": "3", "targets": "4"}, record]))


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ([], "Record 2: 'candidates' is empty"),
        (["4", "5", "4"], "Record 2: the candidate '4' is there twice"),
        (["4", 5], "Record 2: the candidate 5 is no string"),
        ("4", "Record 2: 'candidates' is '4'; it must be a list"),
        (None, "Record 2: 'candidates' is None"),
    ],
)
def test_candidates_are_checked(candidates, message):
    given = [{"inputs": "3", "candidates": ["4"]}, {"inputs": "3", "candidates": candidates}]
    with pytest.raises(UserError, match=message):
        list(scorer_of("t5").rank(given))


def test_nothing_to_rank_is_an_error():
    with pytest.raises(UserError, match="Record 1 has no 'candidates' to rank"):
        list(scorer_of("t5").rank([{"inputs": "3", "targets": "4"}]))


def test_texts_that_are_too_long_are_named():
    scorer = Scorer(Model(BART), random_params(BART), FEATURES, batch_size=2)
    fits, long = texts([20, 40])
    (scored,) = scorer.score([{"inputs": long[: long.rindex(" ")], "targets": fits}])
    assert np.isfinite(scored.log_probs).all()
    with pytest.raises(UserError, match=r"Record 2: inputs are 41 tokens, .* positions for 40"):
        list(scorer.score([{"inputs": "3", "targets": "4"}, {"inputs": long, "targets": "4"}]))
    with pytest.raises(UserError, match=r"Record 1: targets are 22 tokens, .* positions for 21"):
        list(scorer.rank([{"inputs": "3", "candidates": ["4", f"5 {fits}"]}]))
    scorer = scorer_of("prefix_lm")
    with pytest.raises(UserError, match=r"inputs and targets are 65 tokens, .* positions for 64"):
        list(scorer.score([{"inputs": long, "targets": " ".join(["4"] * 23)}]))


def test_models_without_likelihoods():
    encoder = EncoderOnly(VOCAB, stack(), heads=(LMHead(),))
    with pytest.raises(UserError, match="EncoderOnly gives no likelihood to a text, since it has"):
        Scorer(Model(encoder), {}, FEATURES)
    glm = DecoderOnly(VOCAB, stack(num_layers=1, positions=TwoDimensionalPositions(9, 9)))
    with pytest.raises(UserError, match=r"fills blanks .* nothing says which tokens"):
        Scorer(Model(glm), {}, FEATURES)
    with pytest.raises(UserError, match="batch_size must be at least 1, got 0"):
        make("t5", batch_size=0)


def test_a_source_encoder_has_its_own_limit():
    source = SourceEncoder(VOCAB, stack(num_layers=1, positions=LearnedPositions(5)))
    config = dataclasses.replace(BART, source_encoder=source)
    scorer = Scorer(Model(config), random_params(config), FEATURES)
    with pytest.raises(UserError, match=r"inputs are 6 tokens, .* positions for 5"):
        list(scorer.score([{"inputs": "4 4 4 4 4", "targets": "4"}]))
