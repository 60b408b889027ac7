import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.config import Compute, Dropout
from t2t.models.embedding import Embedding, Places
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.positions import LearnedPositions, NoPositions
from t2t.models.shared import Shared

PLACES = Places(jnp.arange(3)[None])


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def build(spec, d_model=4, rate=0.0, positions=None):
    shared = Shared(NormalInit(1.0), Dropout(embedding=rate), Compute())
    size = spec.size or d_model
    table = (positions or NoPositions()).build(
        d_model=size, num_heads=1, head_dim=4, causal=False, key=jax.random.key(3), init=shared.init
    )
    return spec.build(d_model, shared, jax.random.key(0)), table


def test_by_default_vectors_pass_unchanged():
    layer, positions = build(Embedding())
    x = random((2, 3, 4))
    np.testing.assert_array_equal(layer(x, PLACES, positions, None), x)


def test_scales_then_adds_positions_and_types_then_norms_then_projects():
    spec = Embedding(size=4, scaled=True, token_types=2, norm=LayerNorm(1e-5))
    layer, positions = build(spec, d_model=6, positions=LearnedPositions(5))
    layer.projection.bias[...] = random((6,), 5)
    types = np.array([[0, 1, 1], [1, 0, 0]])
    x = random((2, 3, 4))
    total = 2.0 * x + np.asarray(positions.embedding[...])[None, :3]  # the root of 4
    total = total + np.asarray(layer.token_types.embedding[...])[types]
    normed = total - total.mean(-1, keepdims=True)
    normed = normed / np.sqrt(total.var(-1, keepdims=True) + 1e-5)
    expected = normed @ np.asarray(layer.projection.kernel[...]) + random((6,), 5)
    places = Places(jnp.arange(3)[None], token_types=types)
    np.testing.assert_allclose(layer(x, places, positions, None), expected, rtol=1e-4, atol=1e-4)


def test_without_token_types_all_are_of_the_first():
    layer, positions = build(Embedding(token_types=2))
    first = np.asarray(layer.token_types.embedding[...])[0]
    x = random((2, 3, 4))
    np.testing.assert_allclose(layer(x, PLACES, positions, None), x + first, rtol=1e-6)


def test_drops_after_the_norm_and_before_the_projection():
    layer, positions = build(Embedding(norm=RMSNorm()), rate=0.5)
    x = random((2, 3, 4))
    whole = layer(x, PLACES, positions, None)
    dropped = np.asarray(layer(x, PLACES, positions, jax.random.key(0)))
    kept = dropped != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(dropped[kept], 2 * np.asarray(whole)[kept], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"size": 0}, "size must be at least 1"), ({"token_types": -1}, "must not be negative")],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        Embedding(**settings)
