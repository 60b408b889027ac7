"""T5, mT5 and umT5 equal those of transformers, in float32."""

import json
import shutil

import jax
import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import safetensors.torch
import torch
from transformers import MT5Config, T5Config, UMT5Config

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.errors import UserError
from t2t.interop.folders import open_folder
from t2t.interop.hugging_face import load_hf, save_hf
from t2t.models.definition import Model
from t2t.models.parameter_paths import flatten
from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case, imported, random_model, saved, untie

pytestmark = pytest.mark.parity

SHAPE = {
    "vocab_size": 48,
    "d_model": 16,
    "d_ff": 24,
    "d_kv": 6,  # times num_heads is not d_model
    "num_heads": 2,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "decoder_start_token_id": 0,
}
GATED = {**SHAPE, "feed_forward_proj": "gated-gelu"}
T5 = "T5ForConditionalGeneration"
CASES = [
    Case("t5_relu_tied", T5Config(**SHAPE), T5, lengths=(140, 135)),
    Case("t5_gated_untied", T5Config(**GATED, tie_word_embeddings=False), T5, untie("lm_head")),
    Case("t5_gated_silu_tied", T5Config(**SHAPE, feed_forward_proj="gated-silu"), T5),
    Case("t5_exact_gelu", T5Config(**SHAPE, feed_forward_proj="gelu"), T5),
    Case(
        "t5_buckets",
        T5Config(
            **SHAPE,
            relative_attention_num_buckets=8,
            relative_attention_max_distance=20,
            layer_norm_epsilon=1e-3,
        ),
        T5,
        lengths=(24, 30),
    ),
    Case("mt5", MT5Config(**SHAPE), "MT5ForConditionalGeneration", untie("lm_head")),
    Case("umt5", UMT5Config(**SHAPE), "UMT5ForConditionalGeneration", lengths=(20, 18)),
    Case("umt5_untied", UMT5Config(**SHAPE), "UMT5ForConditionalGeneration", untie("lm_head")),
]
FROZEN = [case for case in CASES if case.name in ("t5_buckets", "t5_gated_untied", "umt5")]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestT5(ParityTests):
    pass


def by_name(name):
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize(
    ("name", "seed", "gain"), [("t5_relu_tied", 7, 2.0), ("t5_gated_untied", 2, 1.0)]
)
def test_greedy_decoding_equals_generate(name, seed, gain, tmp_path):
    max_length = 24
    model = random_model(by_name(name), seed)
    with torch.no_grad():
        for place, parameter in model.named_parameters():
            if ".layer." in place and parameter.ndim == 2 and "relative" not in place:
                parameter *= gain
        model.shared.weight *= 0.1  # else a tied model says its last token again and again
        model.lm_head.weight[1] *= 1.5  # so that some rows, not all, end before max_length
    model.save_pretrained(tmp_path)
    tokens = np.random.default_rng(3).integers(2, SHAPE["vocab_size"], (16, 20), dtype=np.int32)
    tokens[::2, 13:] = 0
    tensor = torch.from_numpy(tokens).long()
    generated = model.generate(
        input_ids=tensor,
        attention_mask=(tensor > 0).long(),
        max_new_tokens=max_length,
        do_sample=False,
        num_beams=1,
        use_cache=False,  # its cache has room for as many layers as the encoder has
    ).numpy()[:, 1:]  # without the start token
    expected = np.zeros((16, max_length), np.int32)
    expected[:, : generated.shape[1]] = generated
    ended = (expected == 1).any(axis=1)
    assert 0 < ended.sum() < len(ended)
    assert len({tuple(row) for row in expected}) > 8
    config, params, _ = load_hf(tmp_path)
    prompt = np.full((16, 1), config.tokens.start, np.int32)
    batch = {"encoder_input_tokens": tokens, "decoder_input_tokens": prompt}
    decoding = Decoding(max_length=max_length)
    actual = jax.jit(lambda p, b: generate(Model(config).bind(p), b, decoding))(params, batch)
    np.testing.assert_array_equal(actual.tokens[:, 0], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["t5_relu_tied", "t5_gated_untied"])
def test_bin_files(name, dtype, tmp_path):
    """As of old: every name of a tied tensor is there, perhaps in several files."""
    case = by_name(name)
    model, folder = saved(case)
    shutil.copy(folder / "config.json", tmp_path)
    state = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    names = sorted(state)
    weight_map = {}
    for number in (0, 1):
        file = f"pytorch_model-{number + 1:05d}-of-00002.bin"
        part = {name: state[name] for name in names[number::2]}
        torch.save(part, tmp_path / file)
        weight_map |= dict.fromkeys(part, file)
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    sharded = load_hf(tmp_path)
    index.unlink()
    torch.save(state, tmp_path / "pytorch_model.bin")
    whole = load_hf(tmp_path)
    assert whole.config == sharded.config == imported(case).config
    wanted = flatten(imported(case).params)
    for path, array in flatten(whole.params).items():
        rounded = torch.from_numpy(wanted[path]).to(dtype).float().numpy()
        np.testing.assert_array_equal(array, rounded, err_msg=path)
        np.testing.assert_array_equal(flatten(sharded.params)[path], rounded, err_msg=path)


def test_pickles_are_refused(tmp_path):
    shutil.copy(saved(by_name("t5_relu_tied"))[1] / "config.json", tmp_path)
    torch.save({"shared.weight": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model\.bin' cannot be read as tensors alone"):
        load_hf(tmp_path)


def test_files_are_those_of_the_safetensors_library(tmp_path):
    config, params, _ = imported(by_name("umt5"))
    save_hf(config, params, tmp_path / "out", dtype="bfloat16")
    theirs = safetensors.torch.load_file(tmp_path / "out" / "model.safetensors")
    for name, tensor in saved(by_name("umt5"))[0].state_dict().items():
        if name in theirs:
            assert torch.equal(theirs[name], tensor.bfloat16())
    assert len(theirs) == len(open_folder(saved(by_name("umt5"))[1]).tensors)
