"""Low-rank adapters: what they start as, what they add, and what their gradients are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.lora import ADAPTERS, LoRA, LoRAModel
from t2t.models.parameter_paths import flatten, unflatten
from t2t.training.trainable import Trainable
from tests.training.conftest import TINY

LAYERS, WIDTH, HEADS = 3, 6, 8


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def attention(*layers):
    names = ("query", "key", "value")
    kernels = {n: draw(*layers, WIDTH, HEADS, seed=i) for i, n in enumerate(names)}
    return {name: {"kernel": kernel} for name, kernel in kernels.items()}


PARAMS = {
    "token_embedder": {"embedding": draw(7, WIDTH)},
    "encoder": {"layers": {"self_attention": attention(LAYERS)}},
    "pooler": {"attention": attention()},
}
LORA = LoRA(rank=2, alpha=6.0)
ADAPTED = [
    f"{place}/{name}"
    for place in ("encoder/layers/self_attention", "pooler/attention")
    for name in ("query", "value")
]


def with_adapters(params):
    """Parameters by path, with adapters that do something."""
    flat = flatten(LORA.add(params, jax.random.key(0)))
    for path in [path for path in flat if path.endswith("/lora_b")]:
        flat[path] = draw(*flat[path].shape, seed=9)
    return flat


def test_every_matching_kernel_gets_a_pair():
    flat = flatten(LORA.add(PARAMS, jax.random.key(0)))
    expected = {f"{path}/lora_{name}" for path in ADAPTED for name in "ab"}
    assert flat.keys() - flatten(PARAMS).keys() == expected
    assert flat["encoder/layers/self_attention/query/lora_a"].shape == (LAYERS, WIDTH, 2)
    assert flat["encoder/layers/self_attention/query/lora_b"].shape == (LAYERS, 2, HEADS)
    assert flat["pooler/attention/value/lora_a"].shape == (WIDTH, 2)
    assert flat["pooler/attention/value/lora_b"].shape == (2, HEADS)
    assert all(not flat[f"{path}/lora_b"].any() for path in ADAPTED)


def test_a_is_normal_with_variance_one_over_the_inputs_and_drawn_for_each_kernel():
    params = {"layers": {"attention": {"query": {"kernel": draw(4, 100, 50)}},
                         "cross_attention": {"query": {"kernel": draw(4, 100, 50)}}}}  # fmt: skip
    flat = flatten(LoRA(rank=50, alpha=1.0).add(params, jax.random.key(3)))
    first, second = (
        flat[f"layers/{name}/query/lora_a"] for name in ("attention", "cross_attention")
    )
    np.testing.assert_allclose(np.std(first), 0.1, rtol=0.02)
    assert abs(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1]) < 0.05
    assert abs(np.corrcoef(np.ravel(first[0]), np.ravel(first[1]))[0, 1]) < 0.1


def test_fresh_adapters_change_nothing():
    merged = LORA.merge(LORA.add(PARAMS, jax.random.key(0)))
    jax.tree.map(np.testing.assert_array_equal, merged, PARAMS)


def test_merging_adds_the_scaled_product():
    flat = with_adapters(PARAMS)
    merged = flatten(LORA.merge(unflatten(flat)))
    assert merged.keys() == flatten(PARAMS).keys()
    for path, value in flatten(PARAMS).items():
        place = path.removesuffix("/kernel")
        if place in ADAPTED:
            a, b = (np.float64(flat[f"{place}/lora_{name}"]) for name in "ab")
            value = value + 6.0 / 2 * np.einsum("...ir,...ro->...io", a, b)
        np.testing.assert_allclose(merged[path], value, rtol=1e-5, atol=1e-5, err_msg=path)


def test_gradients_are_those_of_a_product():
    weight = draw(LAYERS, WIDTH, HEADS, seed=5)  # the gradient of the kernel
    query = "encoder/layers/self_attention/query"

    def loss(adapters, params):
        merged = flatten(LORA.merge(unflatten(params | adapters)))
        return jnp.sum(merged[f"{query}/kernel"] * weight)

    params = with_adapters(PARAMS)
    adapters = {f"{query}/lora_{name}": params.pop(f"{query}/lora_{name}") for name in "ab"}
    gradients = jax.grad(loss)(adapters, params)
    a, b = (np.asarray(adapters[f"{query}/lora_{name}"]) for name in "ab")
    expected = {
        "a": 3.0 * np.einsum("lio,lro->lir", weight, b),
        "b": 3.0 * np.einsum("lir,lio->lro", a, weight),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(gradients[f"{query}/lora_{name}"], value, rtol=1e-4, atol=1e-4)


def test_only_adapters_are_trained():
    selection = Trainable((ADAPTERS,)).select(LORA.add(PARAMS, jax.random.key(0)))
    expected = {f"{path}/lora_{name}" for path in ADAPTED for name in "ab"}
    assert selection.layers == dict.fromkeys(expected)


def test_adapters_are_split_as_their_kernel_is():
    axes = jax.tree.map(lambda x: ("layers", "embed", "heads")[3 - x.ndim :], PARAMS)
    added = flatten(LORA.add_axes(axes, PARAMS))
    assert added["encoder/layers/self_attention/query/lora_a"] == ("layers", "embed", "lora")
    assert added["encoder/layers/self_attention/query/lora_b"] == ("layers", "lora", "heads")
    assert added["pooler/attention/value/lora_a"] == ("embed", "lora")
    assert added.keys() == flatten(LORA.add(PARAMS, jax.random.key(0))).keys()


PLAIN, ADAPTED_MODEL = Model(TINY), LoRAModel(TINY, LORA)


@pytest.fixture(scope="module")
def plain_params():
    return jax.tree.map(lambda leaf: 0.3 * draw(*leaf.shape), PLAIN.abstract_params)


@jax.jit
def logits(params):
    """Of the model that the parameters are of."""
    adapted = any(path.endswith("lora_a") for path in flatten(params))
    tokens = jnp.arange(1, 9).reshape(2, 4)
    names = ("encoder_input_tokens", "decoder_input_tokens", "decoder_target_tokens")
    return (ADAPTED_MODEL if adapted else PLAIN).bind(params)(dict.fromkeys(names, tokens))


def test_a_model_with_fresh_adapters_equals_the_one_without(plain_params):
    adapted = LORA.add(plain_params, jax.random.key(0))
    np.testing.assert_array_equal(logits(adapted), logits(plain_params))


def test_a_model_with_adapters_draws_what_it_says():
    drawn = jax.eval_shape(ADAPTED_MODEL.init, jax.random.key(0))
    assert jax.tree.map(jnp.shape, drawn) == jax.tree.map(jnp.shape, ADAPTED_MODEL.abstract_params)


def test_an_ordinary_model_with_merged_parameters_gives_the_same(plain_params):
    params = unflatten(with_adapters(plain_params))
    merged = LORA.merge(params)
    assert jax.tree.structure(merged) == jax.tree.structure(plain_params)
    expected = logits(params)
    np.testing.assert_allclose(logits(merged), expected, rtol=1e-4, atol=1e-4)
    assert not np.allclose(logits(plain_params), expected, atol=1e-2)


def test_every_dimension_of_a_model_with_adapters_has_a_name():
    shapes = flatten(jax.tree.map(jnp.shape, ADAPTED_MODEL.abstract_params))
    ranks = {path: len(axes) for path, axes in flatten(ADAPTED_MODEL.logical_axes).items()}
    assert ranks == {path: len(shape) for path, shape in shapes.items()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank >= 1"),
        ({"alpha": 0.0}, "alpha > 0"),
        ({"rank": 7}, r"LoRA.rank = 7 is more than the rank that .*query/kernel of shape"),
        ({"patterns": (".*attention/quary/kernel",)}, "LoRA.patterns: .* Did you mean 'query'"),
        ({"patterns": ("token_embedder/embedding",)}, "LoRA.patterns: .* matches no parameter"),
    ],
)
def test_settings_that_cannot_be_meant(options, message):
    with pytest.raises(UserError, match=message):
        LoRA(**{"rank": 2, "alpha": 1.0, **options}).add(PARAMS, jax.random.key(0))
