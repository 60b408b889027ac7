"""Every shipped model file: it loads, and has the parameters of what it is named after, exactly."""

import json
import math
import re
from pathlib import Path

import jax
import pytest

from t2t import config
from t2t.errors import UserError
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
    params = Model(load(name)).abstract_params
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    assert count == COUNTS[name]["parameters"]


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
