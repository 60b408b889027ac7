import json

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.t5x.layout import lay_out
from tests.interop.t5x import checkpoints
from tests.interop.t5x.checkpoints import layout_of, scanned


def test_sizes(target):
    layout = layout_of(target)
    assert layout.sizes == {
        "vocab": 12,
        "embed": 8,
        "joined": 6,
        "heads": 2,
        "mlp": 10,
        "buckets": 32,
        "encoder_layers": 3,
        "decoder_layers": 2,
    }
    assert layout.gated
    assert not layout.tied
    assert not layout.positions_per_layer


def test_t5_1_0():
    layout = layout_of(checkpoints.random_target(gated=False, tied=True))
    assert layout.tied
    assert not layout.gated


def test_models_of_t5x(golden):
    """Their configurations, from their shapes alone."""
    for model in json.loads((golden / "models.json").read_text()).values():
        config = model["config"]
        shapes = {name: tuple(shape) for name, shape in model["parameters"].items()}
        layout = lay_out(shapes, "here")
        assert layout.sizes == {
            "vocab": config["vocab_size"],
            "embed": config["emb_dim"],
            "joined": config["num_heads"] * config["head_dim"],
            "heads": config["num_heads"],
            "mlp": config["mlp_dim"],
            "buckets": 32,
            "encoder_layers": config["num_encoder_layers"],
            "decoder_layers": config["num_decoder_layers"],
        }
        assert layout.tied == config["logits_via_embedding"]
        assert layout.gated == (len(config["mlp_activations"]) == 2)
        assert layout.positions_per_layer == model["scan_layers"]


def test_missing_arrays_are_listed(target):
    del target["encoder/layers_1/mlp/wi_1/kernel"]
    del target["decoder/decoder_norm/scale"]
    wanted = "missing: decoder/decoder_norm/scale, encoder/layers_1/mlp/wi_1/kernel"
    with pytest.raises(UserError, match=f"here does not fit a T5; {wanted}."):
        layout_of(target)


def test_a_missing_layer_is_listed(target):
    kept = {name: array for name, array in target.items() if "encoder/layers_1/" not in name}
    with pytest.raises(UserError, match=r"missing: encoder/layers_1/attention/key/kernel, .*/out/"):
        layout_of(kept)


def test_extra_arrays_are_listed(target):
    target["encoder/layers_0/mlp/wo/bias"] = np.zeros(8)
    target["encoder/side_relpos_bias/rel_embedding"] = np.zeros((2, 32))
    wanted = "unknown: encoder/layers_0/mlp/wo/bias, encoder/side_relpos_bias/rel_embedding"
    with pytest.raises(UserError, match=f"here does not fit a T5; {wanted}."):
        layout_of(target)


def test_long_lists_end(target):
    kept = {n: a for n, a in target.items() if not n.startswith("decoder/layers_0")}
    extra = {f"decoder/layers_1/lora_{i}/kernel": np.zeros(1) for i in range(30)}
    with pytest.raises(UserError, match=r"unknown: .*lora_26/kernel and 10 more\.$"):
        layout_of(target | extra)
    with pytest.raises(UserError, match="missing: decoder/layers_0"):
        layout_of(kept)


def test_scanned_and_unrolled_in_one(target):
    with pytest.raises(UserError, match="unknown: decoder/decoder/encoder_decoder_attention/key"):
        layout_of(target | scanned(target))


def test_another_architecture(target):
    decoder = {name: array for name, array in target.items() if not name.startswith("encoder")}
    with pytest.raises(UserError, match=r"no parameters of encoder/. Only encoder-decoders"):
        layout_of(decoder)


@pytest.mark.parametrize("stored", [lambda target: target, scanned])
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("mlp/wo/kernel", lambda a: a[..., :-1]),
        ("mlp/wo/kernel", lambda a: a[..., None, None]),
        ("pre_mlp_layer_norm/scale", lambda a: a[..., None]),
        ("attention/query/kernel", lambda a: a[:-1]),
        ("pre_mlp_layer_norm/scale", lambda a: a.ravel()[0]),
    ],
)
def test_wrong_shapes_are_listed(target, stored, name, fault):
    stored = stored(target)
    full = next(n for n in sorted(stored) if n.startswith("encoder") and n.endswith(name))
    stored[full] = fault(stored[full])
    shape = list(stored[full].shape)
    with pytest.raises(UserError) as caught:
        layout_of(stored)
    assert f"shapes do not fit: {full} is {shape} (the others have " in str(caught.value)


def test_heads_that_do_not_divide(target):
    for stack in ("encoder", "decoder"):
        target[f"{stack}/relpos_bias/rel_embedding"] = np.zeros((4, 32))
    with pytest.raises(UserError, match=r"6 wide, which 4 heads .* do not divide"):
        layout_of(target)
