"""Runs that train a part, add adapters, or begin with parts of other runs."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.lora import LoRA, LoRAModel
from t2t.models.parameter_paths import flatten
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.loop import train
from t2t.training.partial_restore import restore_part, stored_params
from t2t.training.partitioning import MeshShape
from t2t.training.run_directory import RunDirectory
from t2t.training.state import TrainState, init_state, state_shardings
from t2t.training.step import make_train_step
from t2t.training.trainable import Trainable
from tests.training.conftest import TINY

ADAMW = optimizers.adamw(schedules.constant_schedule(1e-2), weight_decay=0.1)
MODEL = Model(TINY)


def changed(before, after):
    before, after = flatten(before), flatten(after)
    assert before.keys() == after.keys()
    return {path for path in before if not np.array_equal(before[path], after[path])}


def test_steps_move_what_is_trainable_on_any_mesh():
    layer = "encoder/layers/0/self_attention/.*"
    optimizer = ADAMW._replace(trainable=Trainable((layer, "decoder/final_norm/.*")))
    mesh = MeshShape(fsdp=2, tensor=2).mesh()
    shardings = state_shardings(MODEL, optimizer, mesh)
    state = jax.jit(lambda: init_state(MODEL, optimizer, 0), out_shardings=shardings)()
    before = jax.tree.map(np.asarray, state.params)
    tokens = jnp.arange(1, 65).reshape(16, 4)
    names = ("encoder_input_tokens", "decoder_input_tokens", "decoder_target_tokens")
    batch = dict.fromkeys(names, tokens) | {"decoder_loss_weights": jnp.ones_like(tokens)}
    step = make_train_step(MODEL, optimizer, mesh, microbatches=2)
    for _ in range(2):
        state, metrics = step(state, batch)
    moved = changed(before, state.params)
    projections = {
        f"encoder/layers/self_attention/{n}/kernel" for n in ("query", "key", "value", "out")
    }
    assert moved == projections | {"decoder/final_norm/scale"}
    for path in projections:
        same = flatten(before)[path] == flatten(state.params)[path]
        assert same.all((1, 2)).tolist() == [False, True]
    assert 0 < metrics["update_norm"] < metrics["param_norm"]
    counts = [leaf.size for leaf in jax.tree.leaves(state.opt_state) if leaf.ndim]
    assert sum(counts) == 2 * (4 * 16 * 16 + 16)  # first and second moments


def stored(run):
    with Checkpoints(run.checkpoints) as checkpoints:
        folder = checkpoints.params_folder()
    on_one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=on_one), stored_params(folder)
    )
    return jax.tree.map(np.asarray, restore_part(folder, abstract))


@pytest.fixture
def base(experiment, tmp_path):
    """Arguments of two steps from another run's parameters, and these."""
    params = jax.tree.map(
        lambda x: np.random.default_rng(x.shape).normal(size=x.shape).astype(np.float32),
        MODEL.abstract_params,
    )
    run = RunDirectory(tmp_path / "base")
    run.create()
    run.write_identity(TINY, {})
    with Checkpoints(run.checkpoints, CheckpointPolicy()) as checkpoints:
        checkpoints.save(TrainState(jnp.array(1), jax.tree.map(jnp.asarray, params), {}), {})
    arguments = experiment | {
        "mixture": "tiny_text",  # which decodes nothing
        "total_steps": 2,
        "init_from": str(run.path),
    }
    return arguments, params


def test_a_run_that_trains_a_part_goes_on_with_that_part_only(base):
    arguments, before = base
    train(**arguments, trainable=Trainable(("encoder/layers/1/mlp/.*",)))
    after = stored(RunDirectory(Path(arguments["model_dir"])))
    names = ("wi_0", "wi_1", "wo")
    assert changed(before, after) == {f"encoder/layers/mlp/{name}/kernel" for name in names}
    for other in ("decoder/final_norm/.*", "encoder/layers/(0|1)/mlp/.*"):
        with pytest.raises(UserError, match=r"of other trained parameters.*train\.init_from"):
            train(**arguments, trainable=Trainable((other,)))
    with pytest.raises(UserError, match=r"differ in encoder/layers/mlp/.*train\.trainable"):
        train(**arguments, trainable=Trainable(("encoder/layers/0/mlp/.*",)))


def test_adapters_are_trained_beside_kernels_that_stay(base, tmp_path):
    arguments, before = base
    train(**arguments, lora=LoRA(2, 4.0))
    after = stored(RunDirectory(Path(arguments["model_dir"])))
    abstract = LoRAModel(TINY, LoRA(2, 4.0)).abstract_params
    assert jax.tree.structure(abstract) == jax.tree.structure(after)
    flat = flatten(after)
    assert not changed(before, {path: x for path, x in flat.items() if "lora_" not in path})
    assert all(x.any() for path, x in flat.items() if path.endswith("lora_b"))
    with pytest.raises(UserError, match="has LoRA adapters beside"):
        train(**arguments | {"init_from": arguments["model_dir"], "model_dir": str(tmp_path / "b")})
