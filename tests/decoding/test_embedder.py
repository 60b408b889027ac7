import functools

import jax
import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.decoding.embedder import Embedder
from t2t.decoding.pooling import POOLINGS
from t2t.decoding.reading import InputLimit
from t2t.errors import UserError
from t2t.models.config import SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead, TokenClasses
from t2t.models.positions import LearnedPositions, RoPE, TwoDimensionalPositions
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack, texts

TABLE = stack(num_layers=1, positions=LearnedPositions(40))
ENCODER = EncoderOnly(VOCAB, TABLE, heads=(TokenClasses(1),))
GENERATOR = EncoderOnly(VOCAB, TABLE, heads=(LMHead(),))
MODELS = {
    "encoder": ENCODER,
    "encoder_decoder": EncoderDecoder(
        VOCAB, TABLE, stack(num_layers=1, cross_attention=stack().attention)
    ),
    "decoder": DecoderOnly(
        VOCAB, stack(num_layers=1, positions=RoPE()), tokens=SpecialTokens(pad=None, start=3)
    ),
    "prefix_lm": DecoderOnly(VOCAB, stack(positions=LearnedPositions(41)), prefix_lm=True),
    "glm": DecoderOnly(VOCAB, stack(positions=TwoDimensionalPositions(40, 2))),
    "electra": Electra(GENERATOR, ENCODER),
}
CLS, SEP, EOS = 22, 23, 1


class Framed(Numbers):
    """Has the special tokens of BERT."""

    cls_id, sep_id = CLS, SEP


def feature(name, add_eos=False):
    """Of inputs, as such models have it."""
    framed = name in ("encoder", "electra")
    return Feature(Framed() if framed else Numbers(), add_eos=add_eos)


def make(name, pooling="mean", normalize=False, batch_size=4, add_eos=False, **settings):
    config = MODELS[name]
    return Embedder(
        Model(config),
        random_params(config),
        feature(name, add_eos),
        pooling,
        normalize,
        batch_size=batch_size,
        **settings,
    )


def reads(name, ids):
    """The batch that a model of one text without padding reads."""
    if name in ("encoder", "electra"):
        return {"encoder_input_tokens": np.array([[CLS, *ids, SEP]])}
    if name == "encoder_decoder":
        return {"encoder_input_tokens": np.array([ids])}
    tokens = np.array([ids if name == "glm" else [MODELS[name].tokens.start, *ids]])
    mark = "prefix_mask" if name == "glm" else "causal_attention"
    return {"decoder_input_tokens": tokens, f"decoder_{mark}": np.ones_like(tokens)}


@functools.cache
def hidden_of(name):
    """From parameters and a batch."""
    method = "encode" if name == "encoder_decoder" else "hidden"
    model = Model(MODELS[name])
    return jax.jit(lambda p, batch: getattr(model.bind(p), method)(batch))


@functools.cache
def of_tokens(name, text):
    """Hidden states of one text without padding, float64 `[length, d_model]`."""
    batch = reads(name, Numbers().encode(text))
    hidden = np.asarray(hidden_of(name)(random_params(MODELS[name]), batch), np.float64)[0]
    return hidden[1:] if name in ("decoder", "prefix_lm") else hidden


POOL = {
    "mean": lambda x: x.mean(axis=0),
    "first": lambda x: x[0],
    "last": lambda x: x[-1],
    "tokens": lambda x: x,
}
MIXED = texts([3, 17, 3, 17, 3])


@pytest.mark.parametrize("name", MODELS)
def test_equals_the_mean_over_a_text_on_its_own(name):
    embedded = list(make(name).embed(MIXED))
    for text, (_, vectors) in zip(MIXED, embedded, strict=True):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, POOL["mean"](of_tokens(name, text)), atol=1e-5)
    assert len({vectors.tobytes() for _, vectors in embedded}) == len(set(MIXED))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("normalize", [False, True])
def test_poolings(pooling, normalize):
    for text, (_, vectors) in zip(
        MIXED[:3], make("encoder", pooling, normalize).embed(MIXED[:3]), strict=True
    ):
        expected = POOL[pooling](of_tokens("encoder", text))
        if normalize:
            expected = expected / np.linalg.norm(expected, axis=-1, keepdims=True)
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_the_last_token_of_a_decoder():
    (embedded,) = make("decoder", "last").embed([MIXED[0]])
    np.testing.assert_allclose(embedded.vectors, of_tokens("decoder", MIXED[0])[-1], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "add_eos", "expected"),
    [
        ("encoder", False, [CLS, 4, 5, SEP]),
        ("encoder", True, [CLS, 4, 5, SEP]),
        ("encoder_decoder", True, [4, 5, EOS]),
        ("encoder_decoder", False, [4, 5]),
        ("decoder", False, [4, 5]),
        ("decoder", True, [4, 5, EOS]),
    ],
)
def test_tokens_around_a_text(name, add_eos, expected):
    (embedded,) = make(name, add_eos=add_eos).embed(["4 5"])
    assert embedded.tokens.tolist() == expected


def test_an_encoder_without_special_tokens_reads_the_text_alone():
    config = MODELS["encoder"]
    embedder = Embedder(Model(config), random_params(config), Feature(Numbers(), add_eos=False))
    (embedded,) = embedder.embed(["4 5"])
    assert embedded.tokens.tolist() == [4, 5]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_embeddings_do_not_depend_on_the_batch_size_nor_on_the_others(batch_size):
    embedder = make("encoder", batch_size=batch_size)
    for order in (MIXED, MIXED[::-1]):
        for text, (_, vectors) in zip(order, embedder.embed(order), strict=True):
            np.testing.assert_allclose(vectors, of_tokens("encoder", text).mean(0), atol=1e-5)


def test_one_compilation_per_length_class():
    embedder = make("encoder")
    # With [CLS] and [SEP], 3 to 16, 17 to 32, and, as there are no more positions, 33 to 40.
    given = texts([1, 5, 14, 9, 15, 20, 30, 16, 31, 38, 33, 35])
    assert len(list(embedder.embed(given))) == 12
    assert embedder.throughput.compilations == 3
    list(embedder.embed(given[::-1]))
    assert embedder.throughput.compilations == 3
    assert embedder.throughput.records == 24
    special = 2 * 24
    assert embedder.throughput.tokens == 2 * sum(len(text.split()) for text in given) + special
    assert embedder.throughput.seconds > 0
    assert "read tokens/s" in embedder.throughput.describe()


def test_empty_texts():
    (framed,) = make("encoder").embed([""])
    assert framed.tokens.tolist() == [CLS, SEP]
    np.testing.assert_allclose(framed.vectors, of_tokens("encoder", "").mean(0), atol=1e-5)
    empty, other = make("decoder", normalize=True).embed(["", "4"])
    assert not empty.tokens.size
    np.testing.assert_array_equal(empty.vectors, np.zeros(8))
    np.testing.assert_allclose(np.linalg.norm(other.vectors), 1, atol=1e-6)
    ((_, vectors),) = make("decoder", "tokens").embed([""])
    assert vectors.shape == (0, 8)
    assert list(make("decoder").embed([])) == []


@pytest.mark.parametrize(("name", "most"), [("encoder", 38), ("prefix_lm", 40), ("glm", 40)])
def test_texts_that_are_too_long_are_named_or_cut(name, most):
    fits, long = " ".join(["4"] * most), " ".join(["4"] * (most + 1))
    with pytest.raises(
        UserError, match=r"Record 2 has inputs of 41 tokens, but the model reads 40"
    ):
        list(make(name).embed(["4", long]))
    expected, cut = make(name, limit=InputLimit(truncate=True)).embed([fits, long])
    np.testing.assert_array_equal(cut.tokens, expected.tokens)
    np.testing.assert_array_equal(cut.vectors, expected.vectors)


def test_texts_are_cut_to_a_length():
    (cut,) = make("encoder", limit=InputLimit(4, truncate=True)).embed(["4 5 6 7"])
    assert cut.tokens.tolist() == [CLS, 4, 5, SEP]
    with pytest.raises(UserError, match="max_input_length is 2, but 2 special tokens go around"):
        make("encoder", limit=InputLimit(2, truncate=True))


def test_settings_are_checked():
    with pytest.raises(UserError, match=r"pooling: 'means' is none of .* Did you mean 'mean'"):
        make("encoder", "means")
    with pytest.raises(UserError, match="batch_size must be at least 1, got 0"):
        make("encoder", batch_size=0)
