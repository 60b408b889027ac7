"""An update of ours from the imported state is T5X's next update."""

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.sources import MemorySource
from t2t.interop.t5x import load, load_t5x
from t2t.interop.t5x.adafactor import import_adafactor
from t2t.models.parameter_paths import flatten, unflatten
from t2t.training.optimizers import adafactor, adamw
from t2t.training.schedules import constant_schedule
from tests.interop.t5x.checkpoints import heads_apart, layout_of, scanned, write_legacy

RATE = 0.01
STEPS = 5


def sides(name, shape, smallest):
    """T5X's axes of rows and of columns: by size for matrices, by name for others."""
    if "scale" in name or "relpos" in name:
        return None
    if len(shape) == 2:
        row = int(shape[0] > shape[1])
        return None if min(shape) < smallest else ((row,), (1 - row,))
    axes = set(range(len(shape))) - ({1} if is_scanned(name) else set())
    embed = len(shape) - 1 if "/wo/" in name or "/out/" in name else 0
    return (embed,), tuple(sorted(axes - {embed}))


def is_scanned(name):
    return "encoder/encoder/" in name or "decoder/decoder/" in name


def t5x_update(name, parameter, gradient, state, step, smallest):
    """One step of https://arxiv.org/abs/1804.04235, algorithms 4 and 5; changes `state`."""
    keep = 1 - (step + 1) ** -0.8
    squared = gradient**2 + 1e-30
    factored = sides(name, parameter.shape, smallest)
    if factored is None:
        state["v"] = keep * state["v"] + (1 - keep) * squared
        update = gradient / np.sqrt(state["v"])
    else:
        rows, columns = factored
        row = keep * np.expand_dims(state["v_row"], columns)
        row = row + (1 - keep) * squared.mean(columns, keepdims=True)
        column = keep * np.expand_dims(state["v_col"], rows)
        column = column + (1 - keep) * squared.mean(rows, keepdims=True)
        update = gradient / np.sqrt(row * column / row.mean(rows, keepdims=True))
        state["v_row"], state["v_col"] = row.squeeze(columns), column.squeeze(rows)
    axes = tuple(a for a in range(gradient.ndim) if not (is_scanned(name) and a == 1))
    size = np.sqrt((update**2).mean(axes, keepdims=True))
    scale = np.sqrt((parameter**2).mean(axes, keepdims=True))
    return -RATE * np.maximum(1e-3, scale) * update / np.maximum(1, size)


def trained(target, smallest=4):
    """Adafactor's state after some steps, the next gradients, and T5X's update with them."""
    random = np.random.default_rng(1)
    states, gradients, updates = {}, {}, {}
    for name, parameter in target.items():
        states[name] = {kind: np.zeros(1, np.float32) for kind in ("m", "v", "v_row", "v_col")}
        if factored := sides(name, parameter.shape, smallest):
            states[name]["v_row"] = np.zeros(np.delete(parameter.shape, factored[1]))
            states[name]["v_col"] = np.zeros(np.delete(parameter.shape, factored[0]))
        else:
            states[name]["v"] = np.zeros(parameter.shape)
        scale = random.lognormal(size=parameter.shape)
        for step in range(STEPS + 1):
            gradients[name] = scale * random.normal(size=parameter.shape)
            before = {kind: np.float32(value) for kind, value in states[name].items()}
            updates[name] = t5x_update(
                name, parameter, gradients[name], states[name], step, smallest
            )
        states[name] = before
    return states, gradients, updates


def source_of(target, states):
    arrays = {f"target/{name}": array for name, array in target.items()}
    for name, state in states.items():
        arrays |= {f"state/param_states/{name}/{kind}": value for kind, value in state.items()}
    return MemorySource(arrays)


def in_our_layout(arrays):
    return load.read_params(layout_of(arrays), source_of(arrays, {}))


def optimizer(smallest=4):
    rate = constant_schedule(RATE)
    return adafactor(rate, min_dim_size_to_factor=smallest).transformation


CHOSEN = (
    "token_embedder/embedding",
    "encoder/layers/mlp/wi_0/kernel",
    "decoder/layers/mlp/wo/kernel",
    "decoder/layers/cross_attention/key/kernel",
    "decoder/layers/self_attention/out/kernel",
    "decoder/layers/mlp_norm/scale",
    "decoder/positions/rel_embedding",
    "decoder/layers/positions/rel_embedding",
)


def some(tree):
    """Parameters of every kind: each one's update is compiled on its own, which takes time."""
    return unflatten({name: leaf for name, leaf in flatten(tree).items() if name in CHOSEN})


def imported(target, states, smallest=4):
    template = jax.eval_shape(optimizer(smallest).init, some(in_our_layout(target)))
    return import_adafactor(layout_of(target), source_of(target, states), template, STEPS)


def per_layer_positions(target):
    random = np.random.default_rng(2)
    for stack, count in (("encoder", 3), ("decoder", 2)):
        del target[f"{stack}/relpos_bias/rel_embedding"]
        name = f"{stack}/{stack}/relpos_bias/rel_embedding"
        target[name] = random.normal(size=(2, count, 32)).astype(np.float32)
    return target


@pytest.mark.parametrize(
    "stored",
    [
        lambda target: target,
        heads_apart,
        lambda target: per_layer_positions(scanned(heads_apart(target))),
        scanned,
    ],
    ids=["unrolled", "unrolled, heads apart", "scanned, heads apart", "scanned"],
)
def test_the_next_update_is_t5x_s(target, stored):
    target = stored(target)
    states, gradients, updates = trained(target)
    state = imported(target, states)
    params, gradients, updates = (some(in_our_layout(t)) for t in (target, gradients, updates))
    got, after = jax.jit(optimizer().update)(gradients, state, params)
    wanted = flatten(updates)
    assert len(wanted) == len(CHOSEN) - 1
    for name, update in flatten(got).items():
        np.testing.assert_allclose(update, wanted[name], rtol=2e-5, atol=1e-9, err_msg=name)
    assert int(after[3].count) == STEPS + 1


def test_whole_moments_become_factored_ones(target):
    """T5X keeps small matrices whole; a smaller min_dim_size_to_factor of ours wants means."""
    states, _, _ = trained(target, smallest=128)
    moments = imported(target, states)[1]
    name = "encoder/layers_1/mlp/wi_0/kernel"
    whole = states[name]["v"]
    assert whole.shape == (8, 10)
    kernel = moments["encoder"]["layers"]["mlp"]["wi_0"]["kernel"][0]
    np.testing.assert_allclose(kernel.v_row[1], whole.mean(1), rtol=1e-6)
    np.testing.assert_allclose(kernel.v_col[1], whole.mean(0), rtol=1e-6)
    assert kernel.v.shape == (3, 1)
    np.testing.assert_array_equal(kernel.count, [STEPS] * 3)
    longer_first = moments["token_embedder"]["embedding"][0]
    whole = states["token_embedder/embedding"]["v"]
    np.testing.assert_allclose(longer_first.v_row, whole.mean(0), rtol=1e-6)
    np.testing.assert_allclose(longer_first.v_col, whole.mean(1), rtol=1e-6)


def test_factored_moments_become_whole_ones(target):
    states, _, _ = trained(target)
    moments = imported(target, states, smallest=128)[1]
    state = states["decoder/layers_0/mlp/wo/kernel"]  # [10, 8]: the shorter side is the row
    wanted = np.outer(state["v_col"], state["v_row"]) / state["v_row"].mean()
    kernel = moments["decoder"]["layers"]["mlp"]["wo"]["kernel"][0]
    np.testing.assert_allclose(kernel.v[0], wanted, rtol=1e-5)
    assert kernel.v_row.shape == (2, 1)


def test_before_the_first_step_moments_are_zero(golden):
    chosen = adafactor(constant_schedule(RATE), min_dim_size_to_factor=128)
    for kind in ("scanned", "unrolled"):
        loaded = load_t5x(golden / f"t5_1_1_{kind}_legacy", optimizer=chosen)
        template = jax.eval_shape(chosen.transformation.init, loaded.params)
        assert jax.tree.structure(loaded.opt_state) == jax.tree.structure(template)
        for ours, fresh in zip(
            jax.tree.leaves(loaded.opt_state), jax.tree.leaves(template), strict=True
        ):
            assert (ours.shape, ours.dtype) == (fresh.shape, fresh.dtype)
            assert not ours.any()


def test_from_a_file(tmp_path, target):
    states, _, _ = trained(target)
    state = {"step": np.int32(STEPS), "param_states": {n: dict(s) for n, s in states.items()}}
    folder = write_legacy(tmp_path / "checkpoint_5", target, state=state)
    chosen = adafactor(constant_schedule(RATE), min_dim_size_to_factor=4)
    loaded = load_t5x(folder, optimizer=chosen)
    wanted = imported(target, states)[1]["decoder"]["layers"]["self_attention"]["out"]
    got = loaded.opt_state[1]["decoder"]["layers"]["self_attention"]["out"]
    jax.tree.map(np.testing.assert_array_equal, got, wanted)


def test_no_state(target):
    with pytest.raises(UserError, match=r"has no optimiser state. Import the parameters alone"):
        imported(target, {})


def test_another_optimiser_s_state(target):
    states, _, _ = trained(target)
    others = {f"0/mu/{name}": {"v": state["v"]} for name, state in states.items()}
    with pytest.raises(UserError, match=r"is not Adafactor's .*: it has 0/mu/decoder"):
        imported(target, others)


def test_a_parameter_without_state(target):
    states, _, _ = trained(target)
    del states["token_embedder/embedding"]["v_row"]
    with pytest.raises(UserError, match="token_embedder/embedding/v_row is missing"):
        imported(target, states)


def test_momentum(target):
    states, _, _ = trained(target)
    states["token_embedder/embedding"]["m"] = target["token_embedder/embedding"]
    with pytest.raises(UserError, match=r"has momentum \(beta1\), and t2t's has none"):
        imported(target, states)


@pytest.mark.parametrize("kind", ["v_row", "v_col"])
def test_wrong_shapes(target, kind):
    states, _, _ = trained(target)
    states["token_embedder/embedding"][kind] = np.ones(5, np.float32)
    with pytest.raises(UserError, match=r"'token_embedder/embedding' \[12, 8\].* neither whole"):
        imported(target, states)


def test_our_optimiser_must_be_adafactor(target):
    states, _, _ = trained(target)
    init = adamw(constant_schedule(RATE)).transformation.init
    template = jax.eval_shape(init, some(in_our_layout(target)))
    with pytest.raises(UserError, match="fits no optimiser of t2t but adafactor"):
        import_adafactor(layout_of(target), source_of(target, states), template, STEPS)
