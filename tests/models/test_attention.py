import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import Compute, Dropout
from t2t.models.initializers import FanInInit
from t2t.models.masks import AttentionMask
from t2t.models.norms import RMSNorm
from t2t.models.shared import Shared

SEGMENTS = np.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0]])


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def apply(dense, x):
    out = x @ np.asarray(dense.kernel[...], np.float64)
    return out + np.asarray(dense.bias[...]) if hasattr(dense, "bias") else out


def rms(x, scale):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale


def build(spec, seed=0):
    shared = Shared(FanInInit(), Dropout(), Compute())
    layer = spec.build(6, 2, shared, jax.random.key(seed), 5)
    for i, dense in enumerate((layer.query, layer.key, layer.value, layer.out)):
        if hasattr(dense, "bias"):
            dense.bias[...] = random(dense.bias[...].shape, 10 + i)
    return layer


SPECS = {
    "T5": Attention(4, 3, scale=1.0),
    "default scale": Attention(4, 3),
    "biases": Attention(4, 3, bias=True, out_bias=True),
    "grouped": Attention(4, 3, num_kv_heads=2),
    "multi-query": Attention(4, 3, num_kv_heads=1, scale=0.7),
    "normed and capped": Attention(4, 3, norm=RMSNorm(), soft_cap=0.5),
}


@pytest.mark.parametrize("name", SPECS)
def test_equals_numpy(name):
    spec = SPECS[name]
    layer, x, memory = build(spec), random((2, 5, 6), 1), random((2, 7, 5), 2)
    queries = apply(layer.query, x).reshape(2, 5, 4, 3)
    keys = apply(layer.key, memory).reshape(2, 7, -1, 3)
    values = apply(layer.value, memory).reshape(2, 7, -1, 3)
    if spec.norm:
        layer.query_norm.scale[...] = scale = random((3,), 3)
        queries, keys = rms(queries, scale), rms(keys, 1.0)
    group = 4 // keys.shape[2]
    keys, values = np.repeat(keys, group, 2), np.repeat(values, group, 2)
    logits = np.einsum("bqhd,bkhd->bhqk", queries, keys)
    logits *= 3**-0.5 if spec.scale is None else spec.scale
    if spec.soft_cap:
        logits = spec.soft_cap * np.tanh(logits / spec.soft_cap)
    weights = np.exp(logits) * (SEGMENTS[:, None, None] > 0)
    weights /= weights.sum(-1, keepdims=True)
    attended = np.einsum("bhqk,bkhd->bqhd", weights, values).reshape(2, 5, 12)

    keys, values = layer.keys_and_values(jnp.asarray(memory))
    assert keys.shape == values.shape == (2, 7, spec.kv_heads, 3)
    mask = AttentionMask(key_segments=jnp.asarray(SEGMENTS))
    actual = layer.attend(
        layer.queries(jnp.asarray(x)), keys, values, mask=mask, bias=None, key=None
    )
    np.testing.assert_allclose(actual, apply(layer.out, attended), rtol=1e-3, atol=1e-4)


def test_only_a_scale_of_one_is_folded_into_the_queries():
    folded, plain = (build(SPECS[name]).query.kernel[...] for name in ("T5", "default scale"))
    np.testing.assert_allclose(folded, plain * 3**-0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_heads": 0}, r"Attention\.num_heads must be at least 1"),
        ({"head_dim": 0}, r"Attention\.head_dim must be at least 1"),
        ({"num_kv_heads": 0}, r"Attention\.num_kv_heads must be at least 1"),
        ({"num_kv_heads": 3}, r"Attention\.num_heads = 4 .*Attention\.num_kv_heads = 3"),
        ({"scale": 0.0}, r"Attention\.scale must be above 0"),
        ({"soft_cap": -1.0}, r"Attention\.soft_cap must be above 0"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        Attention(**{"num_heads": 4, "head_dim": 3} | settings)
