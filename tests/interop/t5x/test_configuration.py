"""The imported model is T5X's: same parameters, same logits."""

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.t5x import load_t5x
from t2t.interop.t5x.configuration import model_config
from t2t.models.definition import Model
from t2t.models.parameter_paths import shapes_of
from tests.interop.t5x import checkpoints


@pytest.mark.parametrize("kind", ["unrolled", "scanned"])
@pytest.mark.parametrize("form", ["legacy", "orbax"])
def test_logits_are_t5x_s(golden, kind, form):
    loaded = load_t5x(golden / f"t5_1_1_{kind}_{form}")
    with np.load(golden / f"t5_1_1_{kind}_io.npz") as known:
        batch = {name: known[name] for name in known if name != "logits"}
        logits = known["logits"]
    # T5X treats padding of the targets like padding of a packed row: it attends to nothing.
    got = jax.jit(lambda params, batch: Model(loaded.config).bind(params)(batch))(
        loaded.params, batch
    )
    np.testing.assert_allclose(got, logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_parameters_fit_the_model(tmp_path, gated, tied):
    target = checkpoints.random_target(gated=gated, tied=tied)
    loaded = load_t5x(checkpoints.write_legacy(tmp_path / "checkpoint_1", target))
    assert shapes_of(loaded.params) == shapes_of(Model(loaded.config).abstract_params)


def test_t5_1_0():
    config = model_config(checkpoints.layout_of(checkpoints.random_target(gated=False, tied=True)))
    assert config.encoder.feed_forward.activations == ("relu",)
    assert config.head.tied
    assert config.head.scaled
    assert (config.encoder.num_layers, config.decoder.num_layers) == (3, 2)


def test_t5_1_1(target):
    config = model_config(checkpoints.layout_of(target))
    assert config.decoder.feed_forward.activations == ("gelu_tanh", "linear")
    assert not config.head.tied
    attention = config.decoder.cross_attention
    assert (attention.num_heads, attention.head_dim, attention.scale) == (2, 3, 1.0)


def test_activations_can_be_given(target):
    layout = checkpoints.layout_of(target)
    given = model_config(layout, ("silu", "linear"))
    assert given.encoder.feed_forward.activations == ("silu", "linear")
    with pytest.raises(UserError, match=r"have 2 input kernels, .* \('relu',\) do not fit"):
        model_config(layout, ("relu",))
