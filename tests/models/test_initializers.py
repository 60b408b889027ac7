import functools

import jax
import numpy as np
import pytest

from t2t.models.definition import Model
from t2t.models.initializers import FanInInit, NormalInit
from t2t.models.presets import t5

WIDE = t5(
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
    "lm_head/kernel": 64**-0.5,
    "positions/rel_embedding": (2 / (24 + 32)) ** 0.5,
}
TRUNCATED = ("wi_0/kernel", "wi_1/kernel", "wo/kernel", "lm_head/kernel")


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
        elif name != "positions/rel_embedding":  # which is uniform
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


@pytest.mark.parametrize("scaled", [False, True])
def test_normal_initialisation_shrinks_residual_branches_if_asked(scaled):
    spec, key, shape = NormalInit(0.1, scaled_residual=scaled), jax.random.key(0), (64, 64)
    for init in (spec.embedding, spec.table, spec.head, spec.attention(0.25), spec.mlp()):
        assert init(key, shape, np.float32).std() == pytest.approx(0.1, rel=0.05)
    for attention in (True, False):
        out = spec.residual(8, attention=attention)(key, shape, np.float32)
        assert out.std() == pytest.approx(0.1 * (0.25 if scaled else 1), rel=0.05)


def test_fan_in_initialisation_folds_the_scale_of_logits_into_a_kernel():
    key, shape = jax.random.key(0), (64, 64)
    whole, folded = (FanInInit().attention(x)(key, shape, np.float32) for x in (1.0, 0.25))
    np.testing.assert_allclose(folded, 0.25 * whole)
