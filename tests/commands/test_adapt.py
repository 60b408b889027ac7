"""`t2t adapt`, from imported language models to predictions."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t.cli import main
from t2t.data.vocabularies import ByteVocabulary
from t2t.interop.hugging_face import save_hf
from t2t.models.attention import Attention
from t2t.models.config import Compute, SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.positions import RoPE
from t2t.models.stack import Stack
from t2t.trained import load_trained
from tests.interop.t5_models import random_params, tiny


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, and the tests' own cache of compiled programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)


def assert_same(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def message(capsys):
    """What was printed to standard error, on one line."""
    return " ".join(capsys.readouterr().err.split())


def language_model(d_model):
    """Configuration of a small LLaMA."""
    return DecoderOnly(
        384,
        Stack(
            num_layers=2,
            d_model=d_model,
            attention=Attention(2, 4, num_kv_heads=1),
            feed_forward=FeedForward(12, ("silu", "linear")),
            positions=RoPE(),
        ),
        tokens=SpecialTokens(pad=None, eos=1, bos=None),
        head=LMHead(tied=False),
    )


def test_adapted_to_an_encoder_decoder_and_used(capsys):
    params = random_params(language_model(8))
    save_hf(language_model(8), params, "hf", ByteVocabulary(extra_ids=125))
    assert main(["import", "--from_hf", "hf", "--model_dir", "lm"]) == 0
    assert main(["adapt", "--encoder_dir", "lm", "--model_dir", "adapted"]) == 0
    assert "an encoder-decoder of" in message(capsys)
    adapted = load_trained("adapted")
    assert_same(adapted.params["encoder"], params["decoder"])
    layers = adapted.params["decoder"]["layers"]
    assert_same(layers["cross_attention"], params["decoder"]["layers"]["self_attention"])
    Path("in.txt").write_text("one\n")
    words = ["--input", "in.txt", "--max_decode_length", "2"]
    for model_dir in ("adapted", "lm"):
        assert main(["infer", "--model_dir", model_dir, *words]) == 0


def test_adapted_from_two_models_of_other_widths():
    for width, name in [(8, "narrow"), (12, "wide")]:
        save_hf(language_model(width), random_params(language_model(width)), f"hf_{name}")
        assert main(["import", "--from_hf", f"hf_{name}", "--model_dir", name]) == 0
    words = ["--encoder_dir", "wide", "--decoder_dir", "narrow", "--model_dir", "adapted"]
    assert main(["adapt", *words]) == 0
    adapted = load_trained("adapted")
    assert adapted.model.config.encoder.d_model == 12
    assert_same(adapted.params["encoder"], load_trained("wide").params["decoder"])
    key = adapted.params["decoder"]["layers"]["cross_attention"]["key"]["kernel"]
    assert key.shape == (2, 12, 4)


def test_settings_go_along():
    language = language_model(8)
    save_hf(language, random_params(language), "hf", ByteVocabulary(extra_ids=125))
    rules = {"suppress_tokens": [7, 9]}
    Path("hf/generation_config.json").write_text(json.dumps(rules))
    assert main(["import", "--from_hf", "hf", "--model_dir", "lm"]) == 0
    identity = json.loads(Path("lm/model.json").read_text())
    identity["model"]["compute"]["attention"] = "cudnn"  # which is missing here
    Path("lm/model.json").write_text(json.dumps(identity))
    assert main(["adapt", "--encoder_dir", "lm", "--model_dir", "adapted"]) == 0
    adapted = load_trained("adapted")
    assert adapted.generation == rules
    assert adapted.arguments["model"].compute == Compute(attention="cudnn")
    assert adapted.model.config.compute == Compute()


def test_what_cannot_be_adapted(capsys):
    config = tiny(vocab_size=384)
    save_hf(config, random_params(config), "hf")
    assert main(["import", "--from_hf", "hf", "--model_dir", "imported"]) == 0
    assert main(["adapt", "--encoder_dir", "imported", "--model_dir", "new"]) == 1
    assert "Adaptation takes models with a decoder only" in message(capsys)
    assert main(["adapt", "--encoder_dir", "nowhere", "--model_dir", "new"]) == 1
    assert "'nowhere' is not the folder" in message(capsys)
    assert not Path("new").exists()
