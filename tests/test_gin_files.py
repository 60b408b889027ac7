"""Every shipped model file: loads on its own, and has the published number of parameters."""

import math
import re

import jax
import pytest

from t2t import config
from t2t.models.config import T5Config
from t2t.models.definition import Model
from t2t.paths import shipped

# Those of the T5s are what Hugging Face's models of the same shape have, output matrix untied by
# hand for 1.1 (transformers 5.23, which ties it whatever its configuration says).
PARAMETERS = {
    "bytes_tiny": 886_528,
    "t5_1_0_small": 60_506_624,
    "t5_1_0_base": 222_903_552,
    "t5_1_0_large": 737_668_096,
    "t5_1_1_small": 76_961_152,
    "t5_1_1_base": 247_577_856,
    "t5_1_1_large": 783_150_080,
    "t5_1_1_xl": 2_849_757_184,
    "t5_1_1_xxl": 11_135_332_352,
}


def _load(name: str) -> T5Config:
    config.load([f"models/{name}.gin"], configurables=config.MODEL)
    return config.arguments_of(T5Config)


def test_every_model_file_is_tested():
    assert {path.stem for path in (shipped("gin") / "models").glob("*.gin")} == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_count(name):
    params = Model(_load(name)).abstract_params
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == PARAMETERS[name]


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.startswith("t5_")])
def test_header_states_the_parameter_count(name):
    text = (shipped("gin") / "models" / f"{name}.gin").read_text(encoding="utf-8")
    title = name.removeprefix("t5_").replace("_", ".", 1).replace("_", " ")
    stated = re.match(r"# T5 ([\w. ]+): ([\d,]+) parameters", text)
    assert stated.groups() == (title, f"{PARAMETERS[name]:,}")


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.startswith("t5_1_0")])
def test_1_0_is_tied_relu_with_dropout(name):
    model = _load(name)
    assert model.tie_embeddings
    assert model.mlp_activations == ("relu",)
    assert model.dropout_rate == 0.1


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name.startswith("t5_1_1")])
def test_1_1_is_untied_gated_without_dropout(name):
    model = _load(name)
    assert not model.tie_embeddings
    assert model.mlp_activations == ("gelu", "linear")
    assert model.dropout_rate == 0.0
