"""The training step on eight simulated devices. SGD, for Adam amplifies rounding."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.data.converters import EncDecFeatureConverter
from t2t.models.config import Dropout
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.losses.language_modeling import Loss
from t2t.training.optimizers import adafactor, sgd
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule
from t2t.training.state import TrainState, init_state, state_shardings
from t2t.training.step import make_eval_step, make_train_step


def tiny(layers=2, **changes):
    return t5(
        vocab_size=32,
        d_model=16,
        d_ff=24,
        num_heads=4,
        head_dim=6,
        num_encoder_layers=layers,
        num_decoder_layers=layers,
        num_buckets=8,
        max_distance=16,
        **changes,
    )


CONFIG = tiny()
TIED = tiny(activations=("relu",), tied=True)
SMALL = tiny(layers=1)
RATE, ROWS, STEPS, TASKS = 0.3, 16, 3, 3
ONE_DEVICE = None
MESHES = [(8, 1, 1), (2, 2, 2), (1, 2, 4)]  # more of them: test_mesh_equality.py


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """The same programs in less optimised machine code: compiles twice as fast."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def make_mesh(shape):
    return MeshShape().mesh(jax.devices()[:1]) if shape is ONE_DEVICE else MeshShape(*shape).mesh()


@functools.cache
def make_batch(index, pack):
    """Rows with very different numbers of target tokens, so that a mean of means is wrong."""
    rng = np.random.default_rng(index)

    def example():
        lengths = rng.integers(2, 9, 2)
        inputs, targets = (rng.integers(2, 32, length, dtype=np.int32) for length in lengths)
        return {"inputs": inputs, "targets": targets}

    rows = [[example() for _ in range(rng.integers(1, 3) if pack else 1)] for _ in range(ROWS)]
    batch = EncDecFeatureConverter(pack=pack).convert_rows(rows, {"inputs": 16, "targets": 16})
    tasks = rng.integers(0, TASKS, (ROWS, 16), dtype=np.int32)
    return batch | {"decoder_task_ids": tasks}


@functools.cache
def initial_params(config):
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: (
            rng.normal(size=leaf.shape).astype(np.float32) * leaf.shape[-2] ** -0.5
            if leaf.ndim > 1
            else np.ones(leaf.shape, np.float32)
        ),
        Model(config).abstract_params,
    )


def make_state(model, optimizer, mesh, step=0):
    params = initial_params(dataclasses.replace(model.config, dropout=Dropout()))
    opt_state = optimizer.transformation.init(params)
    state = TrainState(jnp.array(step, jnp.int32), params, opt_state)
    # A copy: on the CPU, device_put may share memory with the arrays it is given.
    return jax.device_put(
        jax.tree.map(np.array, state), state_shardings(model, optimizer, mesh), may_alias=False
    )


@dataclasses.dataclass(frozen=True)
class Run:
    """What three steps leave behind."""

    states: list[TrainState]  # before, between and after the steps
    metrics: list[dict]
    params: dict
    compilations: int

    @property
    def losses(self):
        return [m["loss"].sum() / m["tokens"].sum() for m in self.metrics]


SGD = sgd(constant_schedule(RATE))


@functools.cache
def step_of(config, shape, microbatches, seed=0):
    mesh = make_mesh(shape)
    return make_train_step(
        Model(config), SGD, mesh, num_tasks=TASKS, microbatches=microbatches, seed=seed
    )


def run_afresh(shape, pack, microbatches=1):
    """Packed rows train T5 1.1, unpacked ones T5 1.0."""
    config = CONFIG if pack else TIED
    step = step_of(config, shape, microbatches)
    state = make_state(Model(config), SGD, make_mesh(shape))
    states, metrics, before = [state], [], step._cache_size()
    for index in range(STEPS):
        state, measured = step(state, make_batch(index, pack))
        states.append(state)
        metrics.append(jax.device_get(measured))
    return Run(states, metrics, jax.device_get(state.params), step._cache_size() - before)


run = functools.cache(run_afresh)


def assert_same_run(actual, expected):
    np.testing.assert_allclose(actual.losses, expected.losses, rtol=0, atol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5),
        actual.params,
        expected.params,
    )


# Meshes and microbatches.


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("shape", MESHES)
def test_every_mesh_trains_as_one_device_does(shape, pack):
    assert_same_run(run(shape, pack), run(ONE_DEVICE, pack))


@pytest.mark.parametrize("pack", [False, True])
def test_three_steps_change_the_parameters_by_far_more_than_the_tolerance(pack):
    before = initial_params(CONFIG if pack else TIED)
    after = run(ONE_DEVICE, pack).params
    changes = jax.tree.map(lambda a, b: np.abs(a - b).max(), after, before)
    assert min(jax.tree.leaves(changes)) > 1e-3


@pytest.mark.parametrize(("microbatches", "pack"), [(2, True), (4, True), (4, False)])
def test_microbatches_change_nothing(microbatches, pack):
    actual, expected = run((2, 2, 2), pack, microbatches), run(ONE_DEVICE, pack)
    assert_same_run(actual, expected)
    for measured, wanted in zip(actual.metrics, expected.metrics, strict=True):
        assert set(measured) == set(wanted)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), measured, wanted)


def test_rows_differ_in_length_enough_for_a_mean_of_means_to_be_wrong():
    batch = make_batch(0, True)
    tokens = batch["decoder_loss_weights"].reshape(-1, 4, 16).sum(axis=(0, 2))
    assert tokens.max() > 1.15 * tokens.min()


@pytest.mark.parametrize("shape", MESHES)
def test_every_device_holds_its_shard_of_the_parameters_only(shape):
    _, fsdp, tensor = shape
    layers = run(shape, True).states[-1].params["encoder"]["layers"]
    embedding = run(shape, True).states[-1].params["token_embedder"]["embedding"]

    def shards(array):
        return {shard.data.shape for shard in array.addressable_shards}

    assert shards(layers["mlp"]["wi_0"]["kernel"]) == {(2, 16 // fsdp, 24 // tensor)}
    assert shards(layers["self_attention"]["out"]["kernel"]) == {(2, 24 // tensor, 16 // fsdp)}
    assert shards(layers["mlp_norm"]["scale"]) == {(2, 16)}
    assert shards(embedding) == {(32 // tensor, 16 // fsdp)}
    assert len(embedding.addressable_shards) == math.prod(shape)


@pytest.mark.parametrize("shape", [ONE_DEVICE, *MESHES])
def test_all_steps_share_one_compilation(shape):
    assert run(shape, False).compilations == 1
    assert run(shape, True).compilations == 1


@pytest.mark.parametrize("shape", [ONE_DEVICE, (2, 2, 2)])
def test_the_state_passed_in_is_donated(shape):
    *given, last = run(shape, True).states
    for state in given:
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(last))


@pytest.mark.parametrize("shape", [ONE_DEVICE, (2, 2, 2)])
def test_the_same_run_twice_is_the_same_to_the_last_bit(shape):
    first, second = run(shape, True), run_afresh(shape, True)
    for a, b in zip(first.metrics, second.metrics, strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)


def test_a_sharded_initial_state_is_that_of_one_device_to_the_last_bit():
    model, optimizer = Model(SMALL), adafactor(constant_schedule(1.0), min_dim_size_to_factor=4)

    def init(shape):
        shardings = state_shardings(model, optimizer, make_mesh(shape))
        return jax.jit(lambda: init_state(model, optimizer, 5), out_shardings=shardings)()

    split, whole = init((2, 2, 2)), init(ONE_DEVICE)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(split), jax.device_get(whole))
    kernel = split.params["encoder"]["layers"]["mlp"]["wi_0"]["kernel"]
    assert kernel.addressable_shards[0].data.shape == (1, 8, 12)


# What a step computes and reports.


def by_hand(config, batch):
    """Cross-entropy of every target token, and whether it was predicted, in numpy."""
    model = Model(config)
    logits = jax.jit(lambda p: model.bind(p)(batch))(initial_params(config))
    logits = np.asarray(logits, np.float64)
    targets = batch["decoder_target_tokens"]
    picked = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return np.log(np.exp(logits).sum(-1)) - picked, logits.argmax(-1) == targets


@pytest.mark.parametrize("pack", [False, True])
def test_losses_and_tokens_by_task_equal_those_by_hand(pack):
    batch, metrics = make_batch(0, pack), run((2, 2, 2), pack).metrics[0]
    cross_entropy, correct = by_hand(CONFIG if pack else TIED, batch)
    real, tasks = batch["decoder_target_tokens"] > 0, batch["decoder_task_ids"]
    members = [real & (tasks == task) for task in range(TASKS)]
    assert metrics["tokens"].tolist() == [member.sum() for member in members]
    expected = [cross_entropy[member].sum() for member in members]
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    assert metrics["tokens"].sum() == real.sum()
    assert metrics["correct"] == (correct & real).sum()


def test_norms_are_those_of_gradient_update_and_new_parameters():
    trained = run((2, 2, 2), True)
    first, *_, last = trained.metrics
    assert first["update_norm"] == pytest.approx(RATE * first["grad_norm"], rel=1e-5)
    leaves = [leaf.ravel() for leaf in jax.tree.leaves(trained.params)]
    assert last["param_norm"] == pytest.approx(np.linalg.norm(np.concatenate(leaves)), rel=1e-5)


def test_the_step_is_counted():
    assert int(run(ONE_DEVICE, True).states[-1].step) == STEPS


@functools.cache
def two_small_steps_without_task_ids():
    """Metrics of two steps, at a rate of 1e-4, on the same batch."""
    model, mesh, optimizer = Model(SMALL), make_mesh(ONE_DEVICE), sgd(constant_schedule(1e-4))
    step = make_train_step(model, optimizer, mesh, num_tasks=TASKS)
    state, metrics, batch = make_state(model, optimizer, mesh), [], dict(make_batch(0, True))
    del batch["decoder_task_ids"]
    for _ in range(2):
        state, measured = step(state, batch)
        metrics.append(jax.device_get(measured))
    return metrics


def test_the_gradient_is_that_of_the_mean_over_target_tokens():
    first, second = two_small_steps_without_task_ids()
    fall = (
        first["loss"].sum() / first["tokens"].sum() - second["loss"].sum() / second["tokens"].sum()
    )
    assert fall == pytest.approx(1e-4 * second["grad_norm"] ** 2, rel=0.05)  # to first order


def test_without_task_ids_everything_counts_as_the_first_task():
    first, _ = two_small_steps_without_task_ids()
    assert first["tokens"].tolist() == [make_batch(0, True)["decoder_loss_weights"].sum(), 0, 0]
    assert first["loss"][0] > 0
    assert first["loss"][1:].tolist() == [0, 0]


def test_a_batch_without_target_tokens_changes_nothing():
    model, mesh = Model(CONFIG), make_mesh(ONE_DEVICE)
    batch = jax.tree.map(np.zeros_like, make_batch(0, True))
    state, metrics = step_of(CONFIG, ONE_DEVICE, 1)(make_state(model, SGD, mesh), batch)
    assert metrics["tokens"].sum() == metrics["grad_norm"] == 0
    jax.tree.map(np.testing.assert_array_equal, state.params, initial_params(CONFIG))


def test_smoothing_and_z_loss_are_optimised_but_not_reported():
    model, mesh = Model(CONFIG), make_mesh(ONE_DEVICE)
    step = make_train_step(model, SGD, mesh, loss=Loss(0.1, 1e-2), num_tasks=TASKS)
    _, metrics = step(make_state(model, SGD, mesh), make_batch(0, True))
    plain = run(ONE_DEVICE, True).metrics[0]
    np.testing.assert_allclose(metrics["loss"], plain["loss"], rtol=1e-6)
    assert abs(metrics["grad_norm"] / plain["grad_norm"] - 1) > 1e-2


@pytest.mark.parametrize("shape", [ONE_DEVICE, (2, 2, 2)])
def test_evaluation_reports_the_sums_of_the_training_step(shape):
    mesh = make_mesh(shape)
    params = make_state(Model(CONFIG), SGD, mesh).params
    batch = make_batch(0, True)
    metrics = make_eval_step(Model(CONFIG), mesh)(
        params, {name: array for name, array in batch.items() if name != "decoder_task_ids"}
    )
    expected = run(ONE_DEVICE, True).metrics[0]
    assert set(metrics) == {"loss", "tokens", "correct"}
    for name in metrics:
        assert float(metrics[name].sum()) == pytest.approx(expected[name].sum(), rel=1e-5)


# Dropout.

DROPPING = tiny(layers=1, dropout_rate=0.2)


@functools.cache
def dropped(step, seed=0, shape=ONE_DEVICE, repetition=0):
    """Metrics and parameters of one update with dropout, made from a state at `step`."""
    state = make_state(Model(DROPPING), SGD, make_mesh(shape), step)
    state, metrics = step_of(DROPPING, shape, 1, seed)(state, make_batch(0, True))
    return float(metrics["loss"].sum()), jax.device_get(state.params)


def test_dropout_is_a_function_of_seed_and_step():
    first, again = dropped(0), dropped(0, repetition=1)
    assert first[0] == again[0]
    jax.tree.map(np.testing.assert_array_equal, first[1], again[1])
    losses = [first[0], dropped(1)[0], dropped(2)[0], dropped(0, seed=1)[0]]
    assert len(set(losses)) == 4


def test_dropout_is_the_same_on_every_mesh():
    loss, params = dropped(1)
    split_loss, split_params = dropped(1, shape=(2, 2, 2))
    assert split_loss == pytest.approx(loss, rel=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5), params, split_params
    )
