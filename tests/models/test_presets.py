"""Every shipped model file: it loads, and has the parameters of what it is named after, exactly."""

import json
import math
import re
from pathlib import Path

import jax
import pytest

from t2t import config
from t2t.errors import UserError
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model
from t2t.paths import shipped
from t2t.training.loop import train

COUNTS = json.loads(Path(__file__).with_name("preset_counts.json").read_text(encoding="utf-8"))
MODELS = shipped("gin") / "models"


def load(name, *bindings, run="pretrain"):
    needed = ["MODEL_DIR = 'x'", "MIXTURE = 'x'", *(["INIT_FROM = 'x'"] * (run == "finetune"))]
    config.load([f"models/{name}.gin", f"runs/{run}.gin"], [*needed, *bindings])
    return config.arguments_of(train)["model"]


def text_of(name):
    return (MODELS / f"{name}.gin").read_text(encoding="utf-8")


def included_by(name):
    return set(re.findall(r"^include 'models/(\w+)\.gin'$", text_of(name), flags=re.MULTILINE))


def test_every_file_is_a_counted_preset_or_included():
    files = {path.stem for path in MODELS.glob("*.gin")}
    assert files - set.union(*(included_by(name) for name in files)) == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name):
    model = Model(load(name))
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(model.abstract_params))
    assert count == COUNTS[name]["parameters"]
    for axis in set(jax.tree.leaves(model.logical_axes)):
        AxisRules().candidates(axis)  # every dimension has a rule


@pytest.mark.parametrize("name", COUNTS)
def test_header_states_count_source_and_command(name):
    header = re.match(r"(#.*\n)+", text_of(name))[0]
    assert f"{COUNTS[name]['parameters']:,} parameters" in header.split("\n")[0]
    if name == "bytes_tiny":
        return
    assert COUNTS[name]["reference"].split("/")[-1] in header or name.startswith("glm_")
    assert "https://arxiv.org/abs/" in header or "2019" in header
    assert f"t2t train --gin_file=models/{name}.gin --gin_file=runs/pretrain.gin" in header


@pytest.mark.parametrize("name", COUNTS)
def test_fine_tunes_with_dropout_and_in_half_precision(name):
    model = load(name, run="finetune")
    assert model.dropout.residual == model.dropout.attention == 0.1
    assert model.compute.dtype == "bfloat16"


# Preset, bindings, and the two settings that the message names.
IMPOSSIBLE = {
    "heads in unequal groups": (
        "llama_3_8b",
        ["NUM_KV_HEADS = 5"],
        r"Attention.num_heads = 32 .*Attention.num_kv_heads = 5",
    ),
    "half a pair turns": (
        "glm_4_9b",
        ["RoPE.fraction = 0.25", "HEAD_DIM = 12"],
        r"RoPE.fraction = 0.25 .*Attention.head_dim = 12",
    ),
    "layers in unequal groups": (
        "albert_base",
        ["Stack.num_groups = 5"],
        r"Stack.num_layers = 12 .*Stack.num_groups = 5",
    ),
    "one table for two widths": (
        "t5gemma_9b_2b",
        ["EncoderDecoder.share_embeddings = True"],
        r"share_embeddings .*Stack.d_model .*3584 .*2304",
    ),
    "tied to narrower embeddings": (
        "albert_base",
        ["HeadTransform.size = None"],
        r"LMHead.tied .*size 128 \(Embedding.size\).* 768 \(Stack.d_model",
    ),
    "a decoder alone that attends to an encoder": (
        "gpt2_small",
        ["Stack.cross_attention = @Attention()"],
        r"DecoderOnly.decoder has cross-attention",
    ),
    "a decoder that does not attend to its encoder": (
        "bart_base",
        ["decoder/Stack.cross_attention = None"],
        r"EncoderDecoder.decoder does not attend .*Stack.cross_attention",
    ),
    "local layers without a window": (
        "t5gemma_s_s",
        ["encoder/Stack.window = None"],
        r"Stack.local_layers .*Stack.window is None",
    ),
    "one set of parameters for two depths": (
        "byt5_small",
        ["EncoderDecoder.share_stacks = True"],
        r"share_stacks .*Stack.num_layers .*12 .*4",
    ),
    "buckets beyond the greatest distance": (
        "t5_1_1_small",
        ["RelativeBias.num_buckets = 256"],
        r"RelativeBias.max_distance .*128",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_combinations_name_two_settings(name):
    preset, bindings, message = IMPOSSIBLE[name]
    with pytest.raises(UserError, match=f"(?s){message}"):
        _ = Model(load(preset, *bindings)).abstract_params
