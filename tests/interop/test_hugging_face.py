import dataclasses
import json

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.families import all_families, express, family_of
from t2t.interop.folders import open_folder
from t2t.interop.hugging_face import load_hf, save_hf
from t2t.models.heads import LMHead
from t2t.models.norms import LayerNorm
from tests.interop.t5_models import random_params, tiny

CONFIG = tiny(dropout_rate=0.1)


@pytest.fixture
def params():
    return random_params(CONFIG)


@pytest.fixture
def folder(params, tmp_path):
    save_hf(CONFIG, params, tmp_path / "model")
    return tmp_path / "model"


def edit(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def assert_same(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.mark.parametrize("size", ["5GB", "1KB"])
def test_saved_and_loaded(params, tmp_path, size):
    save_hf(CONFIG, params, tmp_path / "new" / "model", max_shard_size=size)
    loaded = load_hf(tmp_path / "new" / "model")
    assert dataclasses.replace(loaded.config, dropout=CONFIG.dropout) == CONFIG
    assert_same(loaded.params, params)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]


def test_half_precision(params, tmp_path):
    save_hf(CONFIG, params, tmp_path / "model", dtype="bfloat16")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == "bfloat16"
    rounded = jax.tree.map(lambda a: a.astype("bfloat16").astype("float32"), params)
    assert_same(load_hf(tmp_path / "model").params, rounded)


def test_nothing_is_left_behind_after_a_failure(params, tmp_path):
    del params["encoder"]["final_norm"]
    with pytest.raises(ValueError, match=r"in rules but not in the model: encoder/final_norm/scal"):
        save_hf(CONFIG, params, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(params, folder):
    with pytest.raises(UserError, match=r"exists already\. Choose another folder"):
        save_hf(CONFIG, params, folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"dtype": "int8"}, "dtype is 'int8'"), ({"max_shard_size": "1"}, "max_shard_size is '1'")],
)
def test_bad_arguments(params, tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        save_hf(CONFIG, params, tmp_path / "model", **arguments)


def test_what_no_family_has(params, tmp_path):
    encoder = dataclasses.replace(CONFIG.encoder, norm=LayerNorm())
    config = dataclasses.replace(CONFIG, encoder=encoder)
    with pytest.raises(UserError, match=r"No family of Hugging Face has all of this Enc.*\. .*t5:"):
        save_hf(config, params, tmp_path / "model")


def test_settings_that_get_lost_are_named():
    head = LMHead(tied=False, soft_cap=30.0)
    config = dataclasses.replace(CONFIG, head=head, share_stacks=False, share_embeddings=False)
    with pytest.raises(UserError) as error:
        all_families()["t5"].express(config)
    assert str(error.value) == (
        "it has no place for head.soft_cap = 30.0 (only None), share_embeddings = False (only True)"
    )


def test_a_family_is_found_for_export():
    family, settings = express(CONFIG)
    assert family is all_families()["t5"]
    assert settings["model_type"] == "t5"


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        load_hf(tmp_path / "nowhere")


def test_no_config(folder):
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"has no config\.json, so its model is unknown"):
        load_hf(folder)


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read"), ("3", "no JSON object")])
def test_config_that_is_none(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_hf(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "t55"}, "describes a model of type 't55', which .* Did you mean"),
        ({"model_type": None}, "has no model_type"),
        ({"feed_forward_proj": "gated-gelo"}, r"sets feed_forward_proj = 'gated-gelo'.*Did you"),
    ],
)
def test_config_of_what_is_not_here(folder, settings, message):
    edit(folder, **settings)
    with pytest.raises(UserError, match=message):
        load_hf(folder)


def test_missing_setting(folder):
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    del settings["num_heads"]
    path.write_text(json.dumps(settings))
    with pytest.raises(UserError, match=r"config\.json' does not set 'num_heads', which this"):
        load_hf(folder)


def test_tensors_that_do_not_fit_the_config(folder):
    edit(folder, num_layers=2, vocab_size=41, d_ff=12)
    with pytest.raises(UserError) as error:
        load_hf(folder)
    message = str(error.value)
    assert "9 missing: " in message
    assert "'encoder.block.1.layer.0.layer_norm.weight'" in message
    assert "'shared.weight' is [40, 8], needs [41, 8] (in model.safetensors)" in message
    assert "2 of another shape" in message


def test_tokenizer_with_more_tokens_than_rows(folder):
    (folder / "vocab.txt").write_text("".join(f"piece{i}\n" for i in range(43)))
    with pytest.raises(UserError, match=r"has 43 tokens, but the model's vocab_size is 40: it has"):
        load_hf(folder)


def test_tokenizer_files_go_along(params, folder, tmp_path):
    (folder / "vocab.txt").write_text("one\ntwo\n")
    (folder / "README.md").write_text("no tokenizer")
    files = load_hf(folder).tokenizer_files
    assert [path.name for path in files] == ["vocab.txt"]
    save_hf(CONFIG, params, tmp_path / "copy", folder)
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert names == {"config.json", "model.safetensors", "vocab.txt"}


def test_no_tokenizer_to_copy(params, tmp_path):
    with pytest.raises(UserError, match="has no tokenizer: none of"):
        save_hf(CONFIG, params, tmp_path / "model", tmp_path)
    assert not (tmp_path / "model").exists()


def test_family_by_model_type():
    assert family_of({"model_type": "umt5"}, "here") is all_families()["t5"]


def test_config_json_of_t5(folder):
    assert json.loads((folder / "config.json").read_text()) == {
        "architectures": ["T5ForConditionalGeneration"],
        "d_ff": 12,
        "d_kv": 3,
        "d_model": 8,
        "decoder_start_token_id": 0,
        "dropout_rate": 0.1,
        "dtype": "float32",
        "eos_token_id": 1,
        "feed_forward_proj": "gated-gelu",
        "initializer_factor": 1.0,
        "is_encoder_decoder": True,
        "layer_norm_epsilon": 1e-06,
        "model_type": "t5",
        "num_decoder_layers": 2,
        "num_heads": 2,
        "num_layers": 1,
        "pad_token_id": 0,
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32,
        "scale_decoder_outputs": False,
        "tie_word_embeddings": False,
        "vocab_size": 40,
    }


def test_tied_t5_is_told_by_its_tensors(tmp_path):
    """transformers 5 writes tie_word_embeddings = true for every T5."""
    tied, untied = tiny(tied=True, activations=("relu",)), tiny(activations=("relu",))
    save_hf(tied, random_params(tied), tmp_path / "tied")
    edit(tmp_path / "tied", tie_word_embeddings=False)
    assert load_hf(tmp_path / "tied").config.head.tied
    save_hf(untied, random_params(untied), tmp_path / "untied")
    edit(tmp_path / "untied", tie_word_embeddings=True)
    assert not load_hf(tmp_path / "untied").config.head.tied
    assert "lm_head.weight" in open_folder(tmp_path / "untied").tensors
