import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t2t.data.converters import EncDecFeatureConverter
from t2t.models.config import T5Config
from t2t.models.definition import Model

V1_0 = T5Config(
    vocab_size=40,
    d_model=16,
    d_ff=24,
    num_heads=3,
    head_dim=4,  # heads * head_dim != d_model
    num_encoder_layers=2,
    num_decoder_layers=3,
    mlp_activations=("relu",),
    tie_embeddings=True,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=12,
)
V1_1 = dataclasses.replace(V1_0, mlp_activations=("gelu", "linear"), tie_embeddings=False)
CONFIGS = {"1.0": V1_0, "1.1": V1_1}


@functools.cache
def params_of(config):
    """Random matrices of gain one, norms near one, biases large enough for positions to matter."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        noise = rng.normal(size=leaf.shape).astype(np.float32)
        match path[-1].key:
            case "kernel":
                return noise * leaf.shape[-2] ** -0.5
            case "scale":
                return 1 + 0.1 * noise
            case _:
                return noise

    return jax.tree_util.tree_map_with_path(draw, Model(config).abstract_params)


@functools.cache
def forward(config):
    """Jitted `(batch, key) -> logits` with fixed random parameters."""
    model = Model(config)
    apply = jax.jit(lambda params, batch, key: model.bind(params)(batch, key))
    return lambda batch, key=None: np.asarray(apply(params_of(config), batch, key))


def example(inputs_length, targets_length, seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.integers(2, 40, inputs_length, dtype=np.int32),
        "targets": rng.integers(2, 40, targets_length, dtype=np.int32),
    }


def convert(rows, inputs, targets, pack=False):
    converter = EncDecFeatureConverter(pack=pack)
    return converter.convert_rows(rows, {"inputs": inputs, "targets": targets})


INPUTS, TARGETS = 24, 16
ROWS = [[example(14, 10, 0)], [example(9, 6, 1)]]
BATCH = convert(ROWS, INPUTS, TARGETS)


# Parameters.

T5_1_1_BASE = T5Config(
    vocab_size=32128,
    d_model=768,
    d_ff=2048,
    num_heads=12,
    head_dim=64,
    num_encoder_layers=12,
    num_decoder_layers=12,
)
T5_1_1_SMALL = dataclasses.replace(
    T5_1_1_BASE,
    d_model=512,
    d_ff=1024,
    num_heads=6,
    num_encoder_layers=8,
    num_decoder_layers=8,
)
RELU_AND_TIED = {"mlp_activations": ("relu",), "tie_embeddings": True}
PUBLISHED = {  # parameters of the released models
    "1.0 small": (60_506_624, T5_1_1_SMALL, {"d_ff": 2048, "num_heads": 8} | RELU_AND_TIED, 6),
    "1.0 base": (222_903_552, T5_1_1_BASE, {"d_ff": 3072} | RELU_AND_TIED, 12),
    "1.1 small": (76_961_152, T5_1_1_SMALL, {}, 8),
    "1.1 base": (247_577_856, T5_1_1_BASE, {}, 12),
}


def count(config):
    return sum(leaf.size for leaf in jax.tree.leaves(Model(config).abstract_params))


@pytest.mark.parametrize("name", PUBLISHED)
def test_number_of_parameters_is_that_of_the_released_model(name):
    expected, config, changes, depth = PUBLISHED[name]
    config = dataclasses.replace(
        config, **changes, num_encoder_layers=depth, num_decoder_layers=depth
    )
    assert count(config) == expected


@pytest.mark.parametrize("version", CONFIGS)
def test_number_of_parameters_follows_the_formula(version):
    c = CONFIGS[version]
    d, inner, branches = c.d_model, c.num_heads * c.head_dim, len(c.mlp_activations)
    attention, mlp = 4 * d * inner, (branches + 1) * d * c.d_ff
    embeddings = c.vocab_size * d * (1 if c.tie_embeddings else 2)
    encoder = c.num_encoder_layers * (attention + mlp + 2 * d)
    decoder = c.num_decoder_layers * (2 * attention + mlp + 3 * d)
    stacks = 2 * (d + c.num_heads * c.relative_attention_num_buckets)  # final norm, bias
    assert count(c) == embeddings + encoder + decoder + stacks


def flat_shapes(params):
    return {
        "/".join(key.key for key in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }


def attention_shapes(layers, name):
    shapes = dict.fromkeys(("query", "key", "value"), (layers, 16, 12)) | {"out": (layers, 12, 16)}
    return {f"{name}/{projection}/kernel": shape for projection, shape in shapes.items()}


def test_names_and_shapes_of_parameters_are_those_of_t5x():
    encoder = {
        "pre_attention_layer_norm/scale": (2, 16),
        **attention_shapes(2, "attention"),
        "pre_mlp_layer_norm/scale": (2, 16),
        "mlp/wi_0/kernel": (2, 16, 24),
        "mlp/wi_1/kernel": (2, 16, 24),
        "mlp/wo/kernel": (2, 24, 16),
    }
    decoder = {
        "pre_self_attention_layer_norm/scale": (3, 16),
        **attention_shapes(3, "self_attention"),
        "pre_cross_attention_layer_norm/scale": (3, 16),
        **attention_shapes(3, "encoder_decoder_attention"),
        "pre_mlp_layer_norm/scale": (3, 16),
        "mlp/wi_0/kernel": (3, 16, 24),
        "mlp/wi_1/kernel": (3, 16, 24),
        "mlp/wo/kernel": (3, 24, 16),
    }
    assert flat_shapes(params_of(V1_1)) == {
        "token_embedder/embedding": (40, 16),
        "logits_dense/kernel": (16, 40),
        "encoder/relpos_bias/rel_embedding": (3, 8),
        "encoder/final_norm/scale": (16,),
        "decoder/relpos_bias/rel_embedding": (3, 8),
        "decoder/final_norm/scale": (16,),
        **{f"encoder/layers/{name}": shape for name, shape in encoder.items()},
        **{f"decoder/layers/{name}": shape for name, shape in decoder.items()},
    }


def test_one_activation_means_one_input_kernel_and_tying_means_no_output_kernel():
    gated, plain = flat_shapes(params_of(V1_1)), flat_shapes(params_of(V1_0))
    gone = {f"{stack}/layers/mlp/wi_{i}/kernel" for stack in ("encoder", "decoder") for i in (0, 1)}
    assert set(gated) - set(plain) == gone | {"logits_dense/kernel"}
    assert set(plain) - set(gated) == {f"{s}/layers/mlp/wi/kernel" for s in ("encoder", "decoder")}


# Initialisation.

WIDE = T5Config(
    vocab_size=300,
    d_model=64,
    d_ff=160,
    num_heads=24,
    head_dim=4,
    num_encoder_layers=2,
    num_decoder_layers=3,
)
EXPECTED_STD = {
    "token_embedder/embedding": 1.0,
    "query/kernel": (64 * 4) ** -0.5,  # attention's 1/sqrt(head_dim) is in here
    "key/kernel": 64**-0.5,
    "value/kernel": 64**-0.5,
    "out/kernel": 96**-0.5,
    "wi_0/kernel": 64**-0.5,
    "wi_1/kernel": 64**-0.5,
    "wo/kernel": 160**-0.5,
    "logits_dense/kernel": 64**-0.5,
    "relpos_bias/rel_embedding": (2 / (24 + 32)) ** 0.5,
}
TRUNCATED = ("wi_0/kernel", "wi_1/kernel", "wo/kernel", "logits_dense/kernel")


wide_init = functools.cache(functools.partial(jax.jit, Model(WIDE).init))


@functools.cache
def wide_params(seed=0):
    leaves = jax.tree_util.tree_leaves_with_path(wide_init()(jax.random.key(seed)))
    return {"/".join(key.key for key in path): np.asarray(leaf) for path, leaf in leaves}


@pytest.mark.parametrize("name", EXPECTED_STD)
def test_initial_standard_deviation(name):
    found = {path: leaf for path, leaf in wide_params().items() if path.endswith(name)}
    assert found
    for path, leaf in found.items():
        tolerance = 5 / leaf.size**0.5  # some seven standard errors of a normal's deviation
        assert leaf.std() == pytest.approx(EXPECTED_STD[name], rel=tolerance), path
        assert abs(leaf.mean()) < 5 * leaf.std() / leaf.size**0.5, path
        cut = np.abs(leaf).max() / leaf.std()
        if name in TRUNCATED:
            assert cut < 2.4, path
        elif name != "relpos_bias/rel_embedding":  # which is uniform
            assert cut > 3, path


def test_norms_start_at_one_and_nothing_else_is_left_untested():
    norms = {path: leaf for path, leaf in wide_params().items() if path.endswith("scale")}
    assert len(norms) == 2 + 3 + 2
    assert all((leaf == 1).all() for leaf in norms.values())
    others = set(wide_params()) - set(norms)
    assert all(path.endswith(tuple(EXPECTED_STD)) for path in others)


def test_every_layer_and_projection_is_initialised_differently():
    kernels = [
        layer
        for path, leaf in wide_params().items()
        if "layers" in path and path.endswith("kernel")
        for layer in leaf
    ]
    assert len(kernels) == 2 * 7 + 3 * 11
    assert len({kernel.ravel()[:8].tobytes() for kernel in kernels}) == len(kernels)


def test_initialisation_is_a_function_of_the_key():
    for path, leaf in wide_params().items():
        np.testing.assert_array_equal(wide_params(0)[path], leaf)
        assert path.endswith("scale") or not np.array_equal(wide_params(1)[path], leaf)


# What may influence what.


def other_tokens(tokens):
    """Another token for each, none of them padding or end of sequence."""
    return tokens % 37 + 3


@pytest.mark.parametrize("version", CONFIGS)
@pytest.mark.parametrize("position", [0, 1, 5, 15])
def test_logits_do_not_depend_on_later_decoder_tokens(version, position):
    before = forward(CONFIGS[version])(BATCH)
    tokens = BATCH["decoder_input_tokens"].copy()
    tokens[:, position] = other_tokens(tokens[:, position])
    after = forward(CONFIGS[version])(BATCH | {"decoder_input_tokens": tokens})
    np.testing.assert_array_equal(after[:, :position], before[:, :position])
    assert (np.abs(after - before)[:, position:].max(axis=-1) > 1e-4).all()


@pytest.mark.parametrize("version", CONFIGS)
def test_every_real_encoder_token_influences_every_logit(version):
    before = forward(CONFIGS[version])(BATCH)
    for position in (0, 8):
        tokens = BATCH["encoder_input_tokens"].copy()
        tokens[:, position] = other_tokens(tokens[:, position])
        after = forward(CONFIGS[version])(BATCH | {"encoder_input_tokens": tokens})
        assert (np.abs(after - before).max(axis=-1) > 1e-5).all()


@pytest.mark.parametrize("version", CONFIGS)
def test_longer_padding_gives_the_same_logits(version):
    expected = forward(CONFIGS[version])(convert(ROWS, 14, 10))
    actual = forward(CONFIGS[version])(BATCH)
    np.testing.assert_allclose(actual[:, :10], expected, rtol=1e-4, atol=1e-5)


def test_rows_do_not_depend_on_each_other():
    before = forward(V1_1)(BATCH)
    after = forward(V1_1)(convert([[example(20, 16, 4)], ROWS[1]], INPUTS, TARGETS))
    np.testing.assert_array_equal(after[1], before[1])
    assert not np.array_equal(after[0], before[0])


FIRST, SECOND = example(9, 6, 2), example(11, 8, 3)


@pytest.mark.parametrize("version", CONFIGS)
def test_packed_examples_get_the_logits_of_each_alone(version):
    packed = forward(CONFIGS[version])(convert([[FIRST, SECOND], ROWS[0]], INPUTS, TARGETS, True))
    alone = forward(CONFIGS[version])(convert([[FIRST], [SECOND]], INPUTS, TARGETS))
    np.testing.assert_allclose(packed[0, :6], alone[0, :6], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(packed[0, 6:14], alone[1, :8], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("feature", ["inputs", "targets"])
@pytest.mark.parametrize("changed", [0, 1])
def test_packed_examples_do_not_see_each_other(changed, feature):
    pair = [FIRST, SECOND]
    before = forward(V1_1)(convert([pair, ROWS[0]], INPUTS, TARGETS, True))[0]
    pair[changed] = pair[changed] | {feature: other_tokens(pair[changed][feature])}
    after = forward(V1_1)(convert([pair, ROWS[0]], INPUTS, TARGETS, True))[0]
    parts = [slice(0, 6), slice(6, 14)]
    assert not np.array_equal(after[parts[changed]], before[parts[changed]])
    np.testing.assert_array_equal(after[parts[1 - changed]], before[parts[1 - changed]])


# How it is computed.


@functools.cache
def loss_and_gradients(remat):
    model = Model(dataclasses.replace(V1_0, remat=remat))

    def loss(params):
        logits = model.bind(params)(BATCH)
        real = jnp.asarray(BATCH["decoder_loss_weights"], bool)
        return jnp.sum(jnp.where(real, jax.nn.logsumexp(logits, axis=-1), 0.0))

    return jax.device_get(jax.jit(jax.value_and_grad(loss))(params_of(V1_0)))


@pytest.mark.parametrize("remat", ["minimal", "full"])
def test_rematerialisation_changes_neither_loss_nor_gradients(remat):
    loss, gradients = loss_and_gradients("none")
    same_loss, same_gradients = loss_and_gradients(remat)
    np.testing.assert_allclose(same_loss, loss, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max()),
        same_gradients,
        gradients,
    )


@pytest.mark.parametrize(("remat", "recomputes"), [("none", 0), ("minimal", 2), ("full", 2)])
def test_rematerialisation_wraps_the_layers_of_both_stacks(remat, recomputes):
    model = Model(dataclasses.replace(V1_0, remat=remat))
    jaxpr = jax.make_jaxpr(lambda p: model.bind(p)(BATCH))(params_of(V1_0))
    assert str(jaxpr).count("prevent_cse=False") == recomputes


def test_scanned_layers_equal_a_loop_over_them():
    tokens = BATCH["encoder_input_tokens"]

    @jax.jit
    def scanned(params):
        return Model(V1_1).bind(params).encode(tokens)

    @jax.jit
    def looped(params):
        model = Model(V1_1).bind(params)
        x = model.token_embedder(tokens, jnp.float32)
        bias = model.encoder.relpos_bias(INPUTS, INPUTS, jnp.float32)
        mask = (tokens > 0)[:, None, None, :]
        graphdef, stacked = nnx.split(model.encoder.layers)
        for i in range(V1_1.num_encoder_layers):
            layer = nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf[i], stacked))  # noqa: B023
            x = layer(x, bias, mask, None)
        return model.encoder.final_norm(x)

    real = tokens > 0
    actual, expected = (np.asarray(f(params_of(V1_1)))[real] for f in (scanned, looped))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("version", CONFIGS)
def test_cached_decoding_equals_the_full_forward_at_every_position(version):
    config = CONFIGS[version]
    model, params = Model(config), params_of(config)
    encoder_tokens, tokens = BATCH["encoder_input_tokens"], BATCH["decoder_input_tokens"]
    length = tokens.shape[1]
    cache = jax.jit(
        lambda p: model.bind(p).init_cache(model.bind(p).encode(encoder_tokens), length)
    )(params)
    step = jax.jit(
        lambda p, tokens, *rest: model.bind(p).decode_step(tokens, encoder_tokens, *rest)
    )
    full = forward(config)(BATCH)
    for position in range(length):
        logits, cache = step(params, tokens[:, position], cache, jnp.array(position))
        np.testing.assert_allclose(logits, full[:, position], rtol=1e-4, atol=1e-5)
    assert step._cache_size() == 1


def test_without_a_key_nothing_is_dropped():
    def program(rate):
        model = Model(dataclasses.replace(V1_1, dropout_rate=rate))
        return str(jax.make_jaxpr(lambda p: model.bind(p)(BATCH))(params_of(V1_1)))

    assert program(0.5) == program(0.0)
    assert "random" not in program(0.5)


def test_with_a_key_dropout_is_a_function_of_the_key():
    model = Model(dataclasses.replace(V1_1, dropout_rate=0.1))
    run = jax.jit(lambda key: model.bind(params_of(V1_1))(BATCH, key))
    first, same, other = (run(jax.random.key(k)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (np.abs(first - other).max(axis=-1) > 1e-4).all()
    assert (np.abs(first - forward(V1_1)(BATCH)).max(axis=-1) > 1e-4).all()


def test_bfloat16_activations_give_float32_logits_near_those_of_float32():
    logits = forward(dataclasses.replace(V1_1, dtype="bfloat16"))(BATCH)
    assert logits.dtype == np.float32
    expected = forward(V1_1)(BATCH)
    difference = np.linalg.norm(logits - expected) / np.linalg.norm(expected)
    assert 1e-4 < difference < 0.05  # rounded, and no more than that


def test_bfloat16_models_have_float32_gradients_and_a_bfloat16_encoder():
    config = dataclasses.replace(V1_1, dtype="bfloat16")
    model = Model(config)
    encode = functools.partial(jax.eval_shape, lambda p: model.bind(p).encode(np.ones((1, 4), int)))
    assert encode(params_of(V1_1)).dtype == jnp.bfloat16
    gradients = jax.eval_shape(
        jax.grad(lambda p: model.bind(p)(BATCH).sum()), model.abstract_params
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {jnp.dtype("float32")}
