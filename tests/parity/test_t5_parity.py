"""Our T5 equals Hugging Face's PyTorch T5 on the same random weights, in float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch

from t2t.decoding.greedy import greedy
from t2t.models.definition import Model
from t2t.training.losses import Loss
from t2t.training.step import summed_loss
from tests.parity import hf_t5

pytestmark = pytest.mark.parity

CONFIGS = {"1.0": hf_t5.V1_0, "1.1": hf_t5.V1_1}
LENGTHS = {"short": (9, 7), "beyond_max_distance": (200, 150)}
CASES = [(version, lengths) for version in CONFIGS for lengths in LENGTHS]


def deviation(actual, expected):
    """Norm of the difference over the norm."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    assert np.linalg.norm(expected) > 0
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@functools.cache
def both(version, lengths):
    """Logits and gradients of PyTorch, then ours."""
    config = CONFIGS[version]
    torch_model = hf_t5.random_model(config, seed=0)
    batch = hf_t5.random_batch(config, 1, LENGTHS[lengths])
    expected = hf_t5.logits_and_gradients(torch_model, config, batch)
    params, model = hf_t5.params_of(torch_model, config), Model(config)
    logits = jax.jit(lambda p, b: model.bind(p)(b))(params, batch)
    loss = functools.partial(summed_loss, model, Loss(), 1)
    gradients = jax.jit(jax.grad(lambda p, b: loss(p, b, None)[0]))(params, batch)
    return expected, (logits, gradients)


@pytest.mark.parametrize("version", CONFIGS)
def test_every_parameter_has_a_counterpart_of_the_same_shape(version):
    config = CONFIGS[version]
    params = hf_t5.params_of(hf_t5.random_model(config, seed=0), config)
    ours = Model(config).abstract_params
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, ours)


@pytest.mark.parametrize(("version", "lengths"), CASES)
def test_logits_equal_pytorch(version, lengths):
    (expected, _), (logits, _) = both(version, lengths)
    assert deviation(logits, expected) < 1e-4


@pytest.mark.parametrize(("version", "lengths"), CASES)
def test_gradient_of_every_parameter_of_every_layer_equals_pytorch(version, lengths):
    (_, expected), (_, gradients) = both(version, lengths)

    def compare(path, actual, wanted):
        if any(key.key == "layers" for key in path):
            return max(deviation(a, w) for a, w in zip(actual, wanted, strict=True))
        return deviation(actual, wanted)

    deviations = jax.tree_util.tree_map_with_path(compare, gradients, expected)
    flat = {jax.tree_util.keystr(p): d for p, d in jax.tree_util.tree_leaves_with_path(deviations)}
    assert {name: d for name, d in flat.items() if not d < 1e-4} == {}


@pytest.mark.parametrize(("version", "seed"), [("1.0", 5), ("1.1", 2)])
def test_greedy_decoding_equals_generate(version, seed):
    config, max_length = CONFIGS[version], 24
    torch_model = hf_t5.random_model(config, seed)
    with torch.no_grad():
        torch_model.shared.weight *= 0.1  # else a tied model says its last token again and again
        torch_model.lm_head.weight[1] *= 1.5  # so that some rows, not all, end before max_length
    tokens = np.random.default_rng(3).integers(2, config.vocab_size, (16, 20), dtype=np.int32)
    tokens[::2, 13:] = 0
    tensor = torch.from_numpy(tokens).long()
    generated = torch_model.generate(
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
    model, params = Model(config), hf_t5.params_of(torch_model, config)
    actual = jax.jit(lambda p, x: greedy(model.bind(p), x, max_length))(params, tokens)
    np.testing.assert_array_equal(actual, expected)
