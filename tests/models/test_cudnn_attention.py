"""What the kernels are given; they themselves run where JAX has a GPU (JAX_PLATFORMS=cuda)."""

import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo

from t2t.errors import UserError
from t2t.models.cudnn_attention import cudnn_arguments
from t2t.models.dot_product_attention import dot_product_attention
from t2t.models.masks import AttentionMask

BATCH, HEADS, HEAD_DIM = 3, 4, 8
PADDED = jnp.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
PACKED = jnp.array([[1, 1, 2, 2, 2, 0], [1, 2, 2, 3, 3, 3], [1, 1, 1, 1, 1, 1]])
PREFIX = jnp.array([[1, 1, 1, 0, 0, 0]] * BATCH, bool)
FLAGS = ("mask", "is_causal", "local_window_size", "key_value_seq_lengths")

# The mask, and how it goes in.
MASKS = {
    "none": (None, ()),
    "padded": (AttentionMask(key_segments=PADDED), ("key_value_seq_lengths",)),
    "causal": (AttentionMask(causal=True), ("is_causal",)),
    "causal padded": (
        AttentionMask(causal=True, key_segments=PADDED),
        ("is_causal", "key_value_seq_lengths"),
    ),
    "causal window": (
        AttentionMask(causal=True, window=2),
        ("is_causal", "local_window_size"),
    ),
    "window": (AttentionMask(window=2, key_segments=PADDED), ("mask", "key_value_seq_lengths")),
    "two-sided window": (AttentionMask(causal=True, window=(3, 2)), FLAGS[1:3]),
    "scanned window": (
        AttentionMask(causal=True, window=2, local=jnp.array(True)),
        ("mask", "is_causal"),
    ),
    "packed": (AttentionMask(key_segments=PACKED, query_segments=PACKED), ("mask",)),
    "causal packed": (
        AttentionMask(causal=True, key_segments=PACKED, query_segments=PACKED),
        ("mask", "is_causal"),
    ),
    "prefix": (AttentionMask(causal=True, prefix=PREFIX), ("mask",)),
    "allowed": (AttentionMask(allowed=jnp.eye(6, dtype=bool)[None]), ("mask",)),
    "at a position": (
        AttentionMask(causal=True, query_positions=jnp.arange(6)[None] - 1),
        ("mask",),
    ),
}


def arrays(length=6, kv_heads=HEADS, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    shapes = [(BATCH, length, heads, HEAD_DIM) for heads in (HEADS, kv_heads, kv_heads)]
    shapes.append((1, HEADS, length, length))
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def shortened(mask, length):
    """The mask of the first `length` tokens."""
    return jax.tree.map(lambda x: x[(..., *[slice(length)] * (x.ndim - 1))], mask)


def losses(mask, length):
    """Our plain attention, and JAX's with the prepared arguments: values of queries that see."""
    seen = None if mask is None else mask.dense(length, length)
    rows = 1.0 if seen is None else seen.any(axis=3)[:, 0, :, None, None]

    def ours(query, key, value, bias):
        out = dot_product_attention(query, key, value, mask=mask, bias=bias, scale=0.3)
        return jnp.sum(jnp.sin(out) * rows)

    def theirs(query, key, value, bias):
        arguments = cudnn_arguments(query, key, value, mask=mask, bias=bias, scale=0.3)
        out = jax.nn.dot_product_attention(**arguments, implementation="xla")
        return jnp.sum(jnp.sin(out[:, :length]) * rows)

    return ours, theirs


@pytest.mark.parametrize(
    ("name", "length"),
    [(name, 6) for name in MASKS]
    + [(name, 5) for name in ("none", "causal padded", "causal packed", "window")],
)
def test_arguments_mean_the_same_attention(name, length):
    mask, inputs = shortened(MASKS[name][0], length), arrays(length, kv_heads=2)
    (ours, ours_grads), (theirs, theirs_grads) = (
        jax.value_and_grad(loss, argnums=(0, 1, 2, 3))(*inputs) for loss in losses(mask, length)
    )
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)
    for expected, actual in zip(ours_grads, theirs_grads, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_flags_and_lengths_as_far_as_possible(name):
    mask, expected = MASKS[name]
    query, key, value, bias = arrays()
    arguments = cudnn_arguments(query, key, value, mask=mask, bias=bias, scale=0.3)
    assert {flag for flag in FLAGS if arguments.get(flag) is not None} == set(expected)
    assert arguments["bias"].shape == bias.shape
    assert arguments["scale"] == 0.3


def test_windows_that_all_rows_share_leave_the_bias_without_a_batch():
    query, key, value, bias = arrays()
    mask, _ = MASKS["window"]
    arguments = cudnn_arguments(query, key, value, mask=mask, bias=bias, scale=1.0)
    assert arguments["mask"].shape == (1, 1, 6, 6)


def test_rows_without_any_key_see_one():
    query, key, value, _ = arrays()
    mask = AttentionMask(key_segments=PADDED)
    arguments = cudnn_arguments(query, key, value, mask=mask, bias=None, scale=1.0)
    np.testing.assert_array_equal(arguments["key_value_seq_lengths"], [6, 3, 1])
    assert arguments["key_value_seq_lengths"].dtype == jnp.int32


def test_odd_lengths_become_even_and_the_bias_has_the_type_of_queries():
    query, key, value, _ = arrays(dtype=jnp.bfloat16)
    bias = jnp.zeros((1, HEADS, 3, 5))
    arguments = cudnn_arguments(
        query[:, :3], key[:, :5], value[:, :5], mask=None, bias=bias, scale=1.0
    )
    shapes = {name: arguments[name].shape[1:] for name in ("query", "key", "value", "bias")}
    assert shapes == {
        "query": (4, HEADS, HEAD_DIM),
        "key": (6, HEADS, HEAD_DIM),
        "value": (6, HEADS, HEAD_DIM),
        "bias": (HEADS, 4, 6),
    }
    assert arguments["bias"].dtype == jnp.bfloat16
    np.testing.assert_array_equal(arguments["key_value_seq_lengths"], [5] * BATCH)


def use_device(monkeypatch, capability="9.0", platform="cuda 13000"):
    device = types.SimpleNamespace(
        platform="gpu",
        device_kind="NVIDIA Something",
        compute_capability=capability,
        client=types.SimpleNamespace(platform_version=platform),
    )
    monkeypatch.setattr(jax, "local_devices", lambda: [device])


def run(inputs, **settings):
    return dot_product_attention(*inputs[:3], scale=1.0, implementation="cudnn", **settings)


def test_without_a_gpu_the_setting_is_named():
    if jax.default_backend() == "gpu":
        pytest.skip("there is one")
    with pytest.raises(UserError, match=r"Compute\.attention='cudnn' needs .* only 'cpu'"):
        run(arrays(dtype=jnp.bfloat16))


def test_other_makers_of_gpus(monkeypatch):
    use_device(monkeypatch, platform="rocm 6")
    with pytest.raises(UserError, match="needs an NVIDIA GPU"):
        run(arrays(dtype=jnp.bfloat16))


def test_a_gpu_that_is_too_old(monkeypatch):
    use_device(monkeypatch, capability="7.5")
    with pytest.raises(UserError, match=r"8\.0 \(Ampere\) or later, .*NVIDIA Something has 7\.5"):
        run(arrays(dtype=jnp.bfloat16))


@pytest.mark.parametrize(
    ("setting", "dtype", "settings"),
    [
        ("Compute.dtype='float32'", jnp.float32, {}),
        ("Attention.soft_cap=50.0", jnp.bfloat16, {"soft_cap": 50.0}),
        (
            "Dropout.attention=0.1",
            jnp.bfloat16,
            {"dropout_rate": 0.1, "dropout_key": jax.random.key(0)},
        ),
    ],
)
def test_settings_that_do_not_go_together_are_both_named(monkeypatch, setting, dtype, settings):
    use_device(monkeypatch)
    expected = f"Compute.attention='cudnn' does not go with {setting}"
    with pytest.raises(UserError, match=re.escape(expected)):
        run(arrays(dtype=dtype), **settings)


@pytest.mark.parametrize(("head_dim", "capability"), [(12, "9.0"), (264, "10.0"), (136, "8.9")])
def test_head_dims_the_kernels_do_not_take(monkeypatch, head_dim, capability):
    use_device(monkeypatch, capability)
    query = jnp.zeros((1, 2, 1, head_dim), jnp.bfloat16)
    with pytest.raises(UserError, match=f"does not go with Attention.head_dim={head_dim}"):
        run([query] * 3)


def test_without_the_library_the_setting_is_named(monkeypatch):
    use_device(monkeypatch)
    monkeypatch.setattr(fused_attention_stablehlo, "cuda_versions", None)
    with pytest.raises(UserError, match=r"Compute\.attention='cudnn'.*cuDNN is not detected"):
        run(arrays(dtype=jnp.bfloat16))


def test_training_compiles_to_the_fused_kernels_with_one_bias_for_all_rows(monkeypatch):
    use_device(monkeypatch)
    monkeypatch.setattr(fused_attention_stablehlo, "check_cudnn_version", lambda: 91500)
    monkeypatch.setattr(fused_attention_stablehlo, "check_compute_capability", lambda _: True)
    monkeypatch.setattr(
        fused_attention_stablehlo, "is_cuda_compute_capability_equal", lambda _: False
    )
    *inputs, bias = arrays(length=5, kv_heads=2, dtype=jnp.bfloat16)
    mask = AttentionMask(key_segments=PADDED[:, :5])

    def loss(query, key, value, bias):
        out = run((query, key, value), mask=mask, bias=bias)
        assert out.shape == query.shape
        return jnp.sum(out.astype(jnp.float32))

    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3)))
    traced = gradient.trace(*inputs, bias.astype(jnp.float32))
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    calls = [line for line in text.splitlines() if "custom_call @__cudnn" in line]
    forward, backward = (line.rsplit(" : ", 1)[1] for line in calls)
    assert "@__cudnn$fmhaScaleBiasSoftmax(" in calls[0]
    assert "@__cudnn$fmhaScaleBiasSoftmaxBackward(" in calls[1]
    bias_type = f"tensor<1x{HEADS}x6x6xbf16>"
    assert bias_type in forward.split(" -> ")[0]
    assert bias_type in backward.split(" -> ")[1]
    assert not re.search(rf"tensor<{BATCH}x{HEADS}x6x6x", text)
    assert all("PADDING" in line for line in calls)


@pytest.mark.parametrize("length", [64, 63])
@pytest.mark.parametrize("name", ["padded", "causal", "causal packed", "causal window", "window"])
def test_kernels_equal_plain_attention(name, length):
    if jax.default_backend() != "gpu":
        pytest.skip("needs a GPU")
    mask = jax.tree.map(
        lambda x: jnp.repeat(x, 11, axis=-1)[:, :length] if x.ndim == 2 else x, MASKS[name][0]
    )
    rng = np.random.default_rng(0)
    shape = (BATCH, length, HEADS, 64)
    inputs = [jnp.asarray(rng.normal(size=shape), jnp.bfloat16) for _ in range(3)]
    bias = jnp.asarray(rng.normal(size=(1, HEADS, length, length)), jnp.float32)
    seen = jnp.any(mask.dense(length, length), axis=3)[:, 0, :, None, None]
    if mask.key_segments is not None:
        seen = seen & jnp.any(mask.key_segments, axis=1)[:, None, None, None]

    def loss(implementation, query, key, value, bias):
        out = dot_product_attention(
            query, key, value, mask=mask, bias=bias, scale=0.125, implementation=implementation
        )
        return jnp.sum(jnp.where(seen, jnp.sin(out.astype(jnp.float32)), 0.0))

    found = [
        jax.jit(jax.value_and_grad(loss, argnums=(1, 2, 3, 4)), static_argnums=0)(
            implementation, *inputs, bias
        )
        for implementation in ("xla", "cudnn")
    ]
    for expected, actual in zip(*map(jax.tree.leaves, found), strict=True):
        wide = [np.asarray(x, np.float32) for x in (expected, actual)]
        error = np.linalg.norm(wide[1] - wide[0]) / np.linalg.norm(wide[0])
        assert error < 0.02
