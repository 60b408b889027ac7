"""Our T5 equals what Hugging Face's PyTorch T5 once computed; see tests/parity/freeze.py."""

import functools
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t.models.config import T5Config
from t2t.models.definition import Model
from t2t.training.losses import Loss
from t2t.training.step import summed_loss

FROZEN = Path(__file__).parents[1] / "frozen"
VERSIONS = ("t5_1_0", "t5_1_1")
GRADIENTS = (
    "token_embedder/embedding",
    "encoder/relpos_bias/rel_embedding",
    "decoder/relpos_bias/rel_embedding",
    "decoder/layers/encoder_decoder_attention/query/kernel",
    "encoder/layers/pre_mlp_layer_norm/scale",
)


@functools.cache
def frozen(version):
    with np.load(FROZEN / f"{version}.npz") as file:
        return dict(file)


@functools.cache
def ours(version):
    """Logits and gradients."""
    arrays = frozen(version)
    settings = json.loads(str(arrays["config"]))
    activations = tuple(settings.pop("mlp_activations"))
    model = Model(T5Config(**settings, mlp_activations=activations))
    params, batch = nested(arrays, "params"), nested(arrays, "batch")
    logits = jax.jit(lambda p: model.bind(p)(batch))(params)
    loss = functools.partial(summed_loss, model, Loss(), 1)
    return logits, jax.jit(jax.grad(lambda p: loss(p, batch, None)[0]))(params)


def nested(arrays, root):
    tree = {}
    for path, array in arrays.items():
        first, *names = path.split("/")
        if first == root:
            node = tree
            for name in names[:-1]:
                node = node.setdefault(name, {})
            node[names[-1]] = array
    return tree


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert np.linalg.norm(actual - expected) < 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_logits_equal_frozen(version):
    assert_close(ours(version)[0], frozen(version)["logits"])


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_gradients_equal_frozen(version, name):
    gradient = ours(version)[1]
    for key in name.split("/"):
        gradient = gradient[key]
    assert_close(gradient, frozen(version)[f"gradients/{name}"])
