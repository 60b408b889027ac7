import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.vocabularies import Vocabulary
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.processors.allowed import AllowedTokens
from t2t.decoding.reading import TextReader
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError
from t2t.models.definition import Model
from tests.decoding.numbers import Numbers, texts
from tests.decoding.predicting import BOTH, GPT, PREFIX_LM, T5, make, params_of, texts_of

MAX_LENGTH = 6
MIXED = texts(np.random.default_rng(1).integers(1, 31, 21))
LANGUAGE_MODEL = {"targets": BOTH["targets"]}


@functools.cache
def said(config, text, prefix="", features=("inputs", "targets"), length=48):
    """Greedily, one whole forward pass per token, padding only behind."""
    ids = config.tokens
    forced = Numbers().encode(prefix)
    if config is T5:
        encoder = np.zeros((1, 32), np.int32)
        tokens = [*Numbers().encode(text), ids.eos]
        encoder[0, : len(tokens)] = tokens
        prompt, batch, given = [ids.start, *forced], {"encoder_input_tokens": encoder}, 0
    else:
        end = [ids.eos] if "inputs" in features else []
        inputs = [ids.start, *Numbers().encode(text), *end]
        prompt, given = [*inputs, *forced], len(inputs)
        batch = {}
    new = []
    for _ in range(MAX_LENGTH):
        row = np.zeros((1, length), np.int32)
        row[0, : len(prompt) + len(new)] = [*prompt, *new]
        marks = {"decoder_causal_attention": (np.arange(length) < given)[None].astype(np.int32)}
        logits = forward(config)(params_of(config), {**batch, **marks, "decoder_input_tokens": row})
        new.append(int(np.argmax(logits[0, len(prompt) + len(new) - 1])))
        if new[-1] == ids.eos:
            break
    return Numbers().decode([*forced, *new])


@functools.cache
def forward(config):
    return jax.jit(lambda p, batch: Model(config).bind(p)(batch))


@functools.cache
def predictor(config, batch_size=4):
    return make(config, batch_size=batch_size)


@pytest.mark.parametrize(
    ("config", "batch_size"),
    [(T5, 4), (T5, 21), (GPT, 4), (PREFIX_LM, 4), (PREFIX_LM, 21)],
    ids=["t5 4", "t5 21", "gpt", "prefix_lm 4", "prefix_lm 21"],
)
def test_predictions_come_in_order_whatever_the_batch_size_and_padding(config, batch_size):
    predictions = texts_of(predictor(config, batch_size).predict(MIXED))
    assert predictions == [said(config, text) for text in MIXED]
    assert len(set(predictions)) > 10


def test_predictions_do_not_depend_on_the_other_inputs():
    shuffled = np.random.default_rng(2).permutation(MIXED).tolist()
    assert texts_of(predictor(T5).predict(shuffled)) == [said(T5, text) for text in shuffled]
    assert texts_of(predictor(T5).predict([MIXED[5]] * 3)) == [said(T5, MIXED[5])] * 3


def test_a_language_model_goes_on_from_a_text_without_an_end():
    found = texts_of(make(GPT, LANGUAGE_MODEL).predict(MIXED[:8]))
    expected = [said(GPT, text, features=("targets",)) for text in MIXED[:8]]
    assert [text.split() for text in found] == [text.split() for text in expected]


@pytest.mark.parametrize("config", [T5, PREFIX_LM], ids=["t5", "prefix_lm"])
def test_outputs_begin_with_their_prefix_if_they_have_one(config):
    prefixes = ["", "7", "", "9 10 11", "5 5 5 5 5 5 5"]
    records = [
        {"inputs": text, **({"prefix": prefix} if prefix else {})}
        for text, prefix in zip(MIXED, prefixes, strict=False)
    ]
    found = texts_of(predictor(config).predict(records))
    assert found == [
        said(config, text, prefix) for text, prefix in zip(MIXED, prefixes, strict=False)
    ]
    assert all(text.startswith(prefix) for text, prefix in zip(found, prefixes, strict=True))


def test_one_compilation_per_length_class_in_a_long_call():
    # With the end of sequence 2..17, 16..33 and 32..64: classes 16, 32 and 64.
    long = make()
    list(long.predict(texts([1, 5, 9, 15] + [16, 20, 25, 31] + [32, 40, 50, 63])))
    assert long.throughput.compilations == 3
    list(long.predict(texts([3, 30, 60] * 20, seed=2)))
    assert long.throughput.compilations == 3


def test_number_of_compilations_is_bounded_whatever_the_inputs():
    rng = np.random.default_rng(3)
    several = make()
    for count in [1, 3, 4, 5, 13, 40]:
        list(several.predict(texts(rng.integers(0, 31, count), seed=count)))
    # Two length classes (16, 32) times three numbers of rows (1, 2, 4).
    assert several.throughput.compilations <= 6


def test_positions_limit_how_far_batches_are_padded():
    few = make(GPT, decoding=Decoding(max_length=30), batch_size=1)
    list(few.predict([{"inputs": MIXED[0], "seed": 0}, texts([33])[0]]))  # 35 + 29 = 64 positions
    assert few.throughput.compilations == 2


def test_throughput_counts_tokens_with_their_ends():
    once = make(batch_size=8)
    found = list(once.predict(MIXED[:8]))
    lengths = [min(len(p.text.split()) + 1, MAX_LENGTH) for (p,) in found]
    assert once.throughput.tokens == sum(lengths)
    assert once.throughput.records == 8
    assert once.throughput.seconds > 0
    assert once.throughput.compile_seconds > 0
    assert "8 records" in once.throughput.describe()


@pytest.mark.parametrize("add_eos", [True, False])
def test_an_empty_line_has_a_prediction_of_its_own(add_eos):
    feature = Feature(Numbers(), add_eos=add_eos)
    both = {"inputs": feature, "targets": feature}
    for config in (T5, GPT):
        found = make(config, both).predict([MIXED[0], "", MIXED[1]])
        scores = [prediction.score for (prediction,) in found]
        assert len(scores) == 3
        assert np.isfinite(scores).all()
    if add_eos:
        assert texts_of(predictor(T5).predict([""])) == [said(T5, "")]


def test_no_inputs_give_no_predictions():
    assert list(predictor(T5).predict([])) == []


def test_inputs_are_read_as_they_are_needed():
    read = []

    def endless():
        while True:
            read.append(MIXED[len(read) % len(MIXED)])
            yield read[-1]

    stream = predictor(T5).predict(endless())
    assert texts_of(next(stream) for _ in range(3)) == [said(T5, text) for text in MIXED[:3]]
    assert len(read) == 8 * 4


def test_beams_give_the_best_first_with_scores():
    best = make(decoding=Decoding(Beam(4, num_returned=3), max_length=MAX_LENGTH))
    found = list(best.predict(MIXED[:6]))
    for predictions in found:
        scores = [prediction.score for prediction in predictions]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
    assert texts_of(best.predict(MIXED[3:4])) == [found[3][0].text]


def test_samples_depend_on_the_seed_of_a_record_alone():
    sampling = Decoding(Sampling(num_samples=2, temperature=3.0), max_length=MAX_LENGTH)
    drawn = make(decoding=sampling)
    records = [{"inputs": MIXED[i % 2], "seed": i // 2} for i in range(6)]
    found = [[p.text for p in ps] for ps in drawn.predict(records)]
    assert all(a != b for a, b in found)
    assert found[0] != found[2]
    order = [5, 0, 3, 1]
    again = [[p.text for p in ps] for ps in drawn.predict([records[i] for i in order])]
    assert again == [found[i] for i in order]
    counted = [[p.text for p in ps] for ps in drawn.predict([MIXED[0]] * 3)]
    assert counted[:2] == [found[0], counted[1]]
    assert counted[0] != counted[1]


def nothing_after_two(logits, history):
    return jnp.where(history.step < 2, logits, -jnp.inf)


def test_processors_apply_and_may_not_forbid_everything():
    allowed = Decoding(max_length=4, processors=(AllowedTokens((5, 6)),))
    for text in texts_of(make(decoding=allowed).predict(MIXED[:4])):
        assert set(text.split()) <= {"5", "6"}
    dead = make(decoding=Decoding(max_length=4, processors=(nothing_after_two,)))
    with pytest.raises(UserError, match="Record 1: at some token everything was forbidden"):
        list(dead.predict([{"inputs": "3"}, {"inputs": MIXED[0]}]))
    with pytest.raises(UserError, match="forbids every one of the 24 tokens"):
        make(decoding=Decoding(processors=(lambda logits, _: jnp.full_like(logits, -jnp.inf),)))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"targets": "3"}, "Record 1 has no string 'inputs'"),
        ({"inputs": "3", "prefix": 4}, "no string 'prefix': it is 4"),
        ({"inputs": "3", "seed": "x"}, "Record 1 has the seed 'x'"),
        ({"inputs": "3", "seed": -1}, "seed -1"),
    ],
)
def test_wrong_records_are_named(record, message):
    with pytest.raises(UserError, match=message):
        list(predictor(T5).predict([record]))


def test_batches_must_have_rows():
    with pytest.raises(UserError, match="batch_size must be at least 1, got 0"):
        make(batch_size=0)


class Pieces(Vocabulary):
    """White space belongs to the word behind it, and none stands at the beginning of a text."""

    base_size = 24
    fingerprint = "pieces"

    def encode(self, text):
        return [int(word) for word in text.split()]

    def _decode(self, ids):
        return "".join(f" {i}" for i in ids).lstrip()


def test_what_is_added_to_a_text_keeps_its_white_space():
    feature = Feature(Pieces())
    reader = TextReader(GPT, {"targets": feature}, 6)
    draft = reader.read({"inputs": "3 4"}, "Record 1")
    assert draft.then(np.array([5, 6])).text == " 5 6"
    of_two_texts = reader.read({"inputs": "3 1 4"}, "Record 1")  # 1 is the end of sequence
    assert of_two_texts.then(np.array([5, 6])).text == " 5 6"
    assert reader.read({"inputs": ""}, "Record 1").then(np.array([5, 6])).text == "5 6"
