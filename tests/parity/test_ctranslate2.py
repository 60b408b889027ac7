"""CTranslate2 converts an exported T5 as it is, and says the same: the way to fast serving."""

import jax
import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("ctranslate2", exc_type=ImportError)

import ctranslate2
import transformers

from t2t.data.vocabularies import SentencePieceVocabulary
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.interop.hugging_face import save_hf
from t2t.models.definition import Model
from t2t.models.presets import t5
from tests.parity.test_tokenizer_parity import sentencepiece_model

pytestmark = pytest.mark.parity

WORDS = ["the", "cat", "sat", "on", "mat.", "a", "dog!", "Unbelievable", "cats,", "dogs?"]
LENGTH = 16


def random_texts(count=24):
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size)) for size in rng.integers(1, 7, count)]


def random_params(config, eos):
    """Large enough for varied texts, and fond of their end."""
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        scale = {"scale": 1.0, "embedding": 0.3}.get(path[-1].key, 0.8)
        array = rng.normal(size=leaf.shape).astype(np.float32) * scale
        if path[0].key == "lm_head":
            array[:, eos] *= 2
        if path[0].key == "token_embedder":
            array[eos] *= 2
        return array

    return jax.tree_util.tree_map_with_path(draw, Model(config).abstract_params)


@pytest.mark.parametrize(
    "version", [{"activations": ("relu",), "tied": True}, {}], ids=["t5_1_0", "t5_1_1"]
)
def test_greedy_text_of_an_exported_model(version, tmp_path):
    vocabulary = SentencePieceVocabulary(sentencepiece_model(tmp_path, "unigram"), extra_ids=10)
    sizes = {"d_model": 16, "d_ff": 24, "num_heads": 2, "head_dim": 6}
    depths = {"num_encoder_layers": 2, "num_decoder_layers": 2}
    config = t5(vocab_size=vocabulary.vocab_size, **sizes, **depths, **version)
    params = random_params(config, vocabulary.eos_id)
    exported, converted = tmp_path / "exported", tmp_path / "converted"
    save_hf(config, params, exported, vocabulary)
    ctranslate2.converters.TransformersConverter(str(exported)).convert(str(converted))

    texts = random_texts()
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    pieces = [tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids) for text in texts]
    translator = ctranslate2.Translator(str(converted), inter_threads=1, intra_threads=1)
    translated = translator.translate_batch(
        pieces, beam_size=1, max_decoding_length=LENGTH, min_decoding_length=0
    )
    theirs = [tokenizer.convert_tokens_to_ids(output.hypotheses[0]) for output in translated]

    inputs = np.zeros((len(texts), 64), np.int32)
    for row, text in zip(inputs, texts, strict=True):
        tokens = [*vocabulary.encode(text), vocabulary.eos_id]
        row[: len(tokens)] = tokens
    start = np.full((len(texts), 1), config.tokens.start, np.int32)
    batch = {"encoder_input_tokens": inputs, "decoder_input_tokens": start}
    model, decoding = Model(config), Decoding(max_length=LENGTH)
    generated = jax.jit(lambda p, b: generate(model.bind(p), b, decoding))(params, batch)
    ours = np.asarray(generated.tokens)[:, 0]

    assert [vocabulary.decode(t) for t in ours] == [vocabulary.decode(t) for t in theirs]
    ended = (ours == vocabulary.eos_id).any(axis=1)
    assert 0 < ended.sum() < len(texts)
    assert len({row.tobytes() for row in ours}) > len(texts) // 2
