import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.dot_product_attention import dot_product_attention
from t2t.models.masks import AttentionMask

BATCH, QUERIES, KEYS, HEADS, HEAD_DIM = 2, 5, 7, 4, 3

MASKS = {
    "none": None,
    "padding": AttentionMask(key_segments=jnp.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0]])),
    "causal": AttentionMask(causal=True),
    "causal window": AttentionMask(causal=True, window=2),
    "allowed": AttentionMask(
        allowed=jnp.asarray(np.eye(QUERIES, KEYS, 2) + np.eye(QUERIES, KEYS), bool)[None]
    ),
}
attend = jax.jit(
    dot_product_attention,
    static_argnames=("scale", "soft_cap", "dropout_rate", "shared_over_length", "implementation"),
)


def random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def projections(kv_heads=HEADS, queries=QUERIES, keys=KEYS):
    query = random((BATCH, queries, HEADS, HEAD_DIM), 0)
    key, value = random((2, BATCH, keys, kv_heads, HEAD_DIM), 1)
    return query, key, value


def reference(query, key, value, mask=None, bias=None, scale=1.0, soft_cap=None):
    """One query and head after the other, in float64."""
    batch, queries, heads, head_dim = query.shape
    keys, kv_heads = key.shape[1:3]
    seen = np.ones((1, 1, 1, 1), bool) if mask is None else mask.dense(queries, keys)
    seen = np.broadcast_to(seen, (batch, 1, queries, keys))[:, 0]
    bias = np.zeros((1, 1, 1, 1)) if bias is None else bias
    bias = np.broadcast_to(bias, (batch, heads, queries, keys))
    out = np.zeros((batch, queries, heads, head_dim))
    for b, q, h in np.ndindex(batch, queries, heads):
        shared = h // (heads // kv_heads)
        visible = np.flatnonzero(seen[b, q])
        logits = np.array([np.dot(query[b, q, h], key[b, k, shared]) for k in visible]) * scale
        if soft_cap is not None:
            logits = soft_cap * np.tanh(logits / soft_cap)
        weights = np.exp((logits + bias[b, h, q, visible]).astype(np.float64))
        weights /= weights.sum()
        out[b, q, h] = weights @ value[b, visible, shared]
    return out


@pytest.mark.parametrize("bias_batch", [None, 1, BATCH])
@pytest.mark.parametrize("mask", MASKS)
def test_equals_a_loop_in_numpy(mask, bias_batch):
    bias = None if bias_batch is None else random((bias_batch, HEADS, QUERIES, KEYS), 2)
    arrays = projections()
    actual = attend(*arrays, mask=MASKS[mask], bias=bias, scale=1.0)
    expected = reference(*arrays, MASKS[mask], bias)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_consecutive_heads_of_queries_share_keys(kv_heads):
    arrays, bias = projections(kv_heads), random((1, HEADS, QUERIES, KEYS), 2)
    actual = attend(*arrays, mask=MASKS["padding"], bias=bias, scale=0.5)
    expected = reference(*arrays, MASKS["padding"], bias, scale=0.5)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_shared_keys_have_the_gradient_of_repeated_keys(kv_heads):
    arrays = projections(kv_heads)

    def total(repeats, query, key, value):
        key, value = (jnp.repeat(x, repeats, axis=2) for x in (key, value))
        return jnp.sum(jnp.sin(attend(query, key, value, mask=MASKS["causal"], scale=0.5)))

    gradients = [
        jax.grad(total, argnums=(1, 2, 3))(repeats, *arrays) for repeats in (1, HEADS // kv_heads)
    ]
    for grouped, repeated in zip(*gradients, strict=True):
        np.testing.assert_allclose(grouped, repeated, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_soft_cap_is_of_scaled_products_before_the_bias(scale):
    arrays, bias = projections(), 3 * random((1, HEADS, QUERIES, KEYS), 2)
    actual = attend(*arrays, mask=MASKS["causal"], bias=bias, scale=scale, soft_cap=1.5)
    expected = reference(*arrays, MASKS["causal"], bias, scale, soft_cap=1.5)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_a_query_at_a_traced_position_gets_what_it_gets_among_all():
    query, key, value = projections(queries=KEYS)
    bias = random((1, HEADS, KEYS, KEYS), 2)
    mask = AttentionMask(causal=True, window=3)
    whole = attend(query, key, value, mask=mask, bias=bias, scale=0.5)
    for position in (0, 2, 6):
        at = AttentionMask(causal=True, window=3, query_positions=jnp.full((1, 1), position))
        one = slice(position, position + 1)
        alone = attend(query[:, one], key, value, mask=at, bias=bias[:, :, one], scale=0.5)
        np.testing.assert_allclose(alone, whole[:, one], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("local", [True, False])
def test_one_program_serves_local_and_global_layers(local):
    arrays = projections(queries=KEYS)
    layer = AttentionMask(causal=True, window=2).for_layer(jnp.array(local))
    plain = AttentionMask(causal=True, window=2 if local else None)
    np.testing.assert_allclose(
        attend(*arrays, mask=layer, scale=1.0), reference(*arrays, plain), rtol=1e-5, atol=1e-6
    )


def test_keys_masked_out_have_no_influence_at_all():
    query, key, value = projections()
    before = attend(query, key, value, mask=MASKS["padding"], scale=1.0)
    key[1, 3:], value[1, 3:] = 50.0, -1e6
    after = attend(query, key, value, mask=MASKS["padding"], scale=1.0)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("kv_heads", [2, HEADS])
def test_packed_neighbours_have_no_influence_at_all(kv_heads):
    query, key, value = projections(kv_heads, queries=KEYS)
    segments = jnp.array([[1, 1, 1, 2, 2, 3, 0], [1, 2, 2, 2, 2, 2, 2]])
    mask = AttentionMask(causal=True, key_segments=segments, query_segments=segments)
    bias = random((1, HEADS, KEYS, KEYS), 2)
    before = attend(query, key, value, mask=mask, bias=bias, scale=0.5)
    second = np.asarray(segments) == 2
    for array in (query, key, value):
        array[second] = 100.0
    after = attend(query, key, value, mask=mask, bias=bias, scale=0.5)
    others = ~second & (np.asarray(segments) > 0)
    np.testing.assert_array_equal(after[others], before[others])
    assert not np.array_equal(after[second], before[second])


@pytest.mark.parametrize("soft_cap", [None, 2.0])
def test_a_row_masked_everywhere_gives_finite_values_and_gradients(soft_cap):
    arrays = projections(kv_heads=2)
    allowed = np.ones((1, QUERIES, KEYS), bool)
    allowed[:, 2] = False
    mask = AttentionMask(allowed=jnp.asarray(allowed))

    def total(*arrays):
        return jnp.sum(jnp.square(attend(*arrays, mask=mask, scale=0.5, soft_cap=soft_cap)))

    value, gradients = jax.value_and_grad(total, argnums=(0, 1, 2))(*arrays)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("kv_heads", [2, HEADS])
def test_bfloat16_in_gives_bfloat16_out(kv_heads):
    arrays = [jnp.asarray(a, jnp.bfloat16) for a in projections(kv_heads)]
    bias = random((1, HEADS, QUERIES, KEYS), 2)
    actual = attend(*arrays, mask=MASKS["causal"], bias=bias, scale=0.5, soft_cap=5.0)
    assert actual.dtype == jnp.bfloat16
    wide = [np.asarray(a, np.float64) for a in arrays]
    expected = reference(*wide, MASKS["causal"], bias, 0.5, soft_cap=5.0)
    np.testing.assert_allclose(actual.astype(jnp.float32), expected, atol=0.05)


@pytest.mark.parametrize("kv_heads", [2, HEADS])
@pytest.mark.parametrize("with_bias", [False, True])
def test_softmax_is_float32_in_bfloat16_models(with_bias, kv_heads):
    arrays = [jnp.asarray(a, jnp.bfloat16) for a in projections(kv_heads)]
    bias = jnp.zeros((1, HEADS, QUERIES, KEYS), jnp.bfloat16) if with_bias else None

    def run(*arrays):
        mask = MASKS["causal"]
        return dot_product_attention(*arrays, mask=mask, bias=bias, scale=0.5, soft_cap=2.0)

    found = {}  # types of operands by primitive, in functions within functions too
    for equation in every_equation(jax.make_jaxpr(run)(*arrays).jaxpr):
        for operand in equation.invars[:1]:
            found.setdefault(equation.primitive.name, set()).add(operand.aval.dtype)
    for name in ("exp", "reduce_sum", "div", "tanh"):
        assert found[name] == {jnp.dtype("float32")}


def every_equation(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from every_equation(inner)


def dropped(value, key, *, shared):
    """Weights themselves: zero queries, and one-hot values for keys."""
    query, keys = jnp.zeros((1, QUERIES, 1, KEYS)), jnp.zeros((1, KEYS, 1, KEYS))
    return attend(
        query, keys, value, scale=1.0, dropout_rate=0.5, dropout_key=key, shared_over_length=shared
    )


@pytest.mark.parametrize("shared", [True, False])
def test_dropout_is_shared_by_all_queries_or_not(shared):
    one_hot = jnp.eye(KEYS)[None, :, None, :]
    weights = dropped(one_hot, jax.random.key(0), shared=shared)[0, :, 0]
    near_two = np.isclose(weights, 2 / KEYS)
    assert np.array_equal(near_two, weights != 0)
    assert 0 < near_two.mean() < 1
    assert (near_two == near_two[:1]).all() == shared


def test_dropout_of_weights_needs_a_key_and_keeps_the_expectation():
    arrays = projections()
    plain = attend(*arrays, scale=1.0)
    without_key = attend(*arrays, scale=1.0, dropout_rate=0.5)
    np.testing.assert_array_equal(plain, without_key)

    def draw(key):
        return attend(*arrays, scale=1.0, dropout_rate=0.5, dropout_key=key)

    draws = jax.vmap(draw)(jax.random.split(jax.random.key(0), 1000))
    assert not np.array_equal(draws[0], draws[1])
    # Standard error of the mean is at most max|value| / sqrt(1000).
    bound = 5 * np.abs(arrays[2]).max() / 1000**0.5
    np.testing.assert_allclose(draws.mean(axis=0), plain, atol=bound)


def test_an_unknown_implementation_is_named():
    with pytest.raises(UserError, match=r"Compute.attention: 'cudn' .* mean 'cudnn'"):
        dot_product_attention(*projections(), scale=1.0, implementation="cudn")
