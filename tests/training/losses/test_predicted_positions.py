"""Few positions are projected, with the result of all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.training.losses.cross_entropy import summed_cross_entropy
from t2t.training.losses.draws import Draws
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.predicted_positions import room, summed_where_predicted
from t2t.training.partitioning import MeshShape, batch_sharding, replicated

BATCH, LENGTH, D_MODEL, VOCAB = 8, 20, 8, 16
LOSS = Loss(0.1, 1e-2)


def project(head, hidden):
    rows = hidden.reshape(-1, D_MODEL) @ head.astype(hidden.dtype)
    return rows.reshape(*hidden.shape[:-1], -1).astype(jnp.float32)


def random(counts):
    """Head, hidden states, targets and weights, of which row i has `counts[i]` above 0."""
    rng = np.random.default_rng(0)
    weights = np.zeros((BATCH, LENGTH), np.float32)
    for row, count in zip(weights, counts, strict=True):
        row[rng.choice(LENGTH, count, replace=False)] = rng.uniform(0.5, 2.0, count)
    return (
        jnp.asarray(rng.normal(size=(D_MODEL, VOCAB)), jnp.float32),
        jnp.asarray(rng.normal(size=(BATCH, LENGTH, D_MODEL)), jnp.float32),
        jnp.asarray(rng.integers(0, VOCAB, (BATCH, LENGTH)), jnp.int32),
        jnp.asarray(weights),
    )


def differentiated(function, loss, args, **kwargs):
    head, hidden, *rest = args

    def scaled(head, hidden):
        total, scores = function(project, loss, head, hidden, *rest, **kwargs)
        return 0.5 * total, scores

    (total, scores), grads = jax.value_and_grad(scaled, (0, 1), has_aux=True)(head, hidden)
    counts = rest[1] > 0
    scores = jax.tree.map(lambda x: jnp.where(counts, x, 0), scores)
    return total, scores, grads


def assert_close(actual, expected):
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, 2e-5, 2e-5), actual, expected)


@pytest.mark.parametrize(
    "counts",
    [[0, 1, 2, 3, 4, 4, 4, 4], [0, 1, 2, 3, 4, 4, 4, 5], [8] * 8, [0] * 7 + [9], [20] * 8, [0] * 8],
)
@pytest.mark.parametrize("max_positions", [100, 3])
def test_sums_scores_and_gradients_are_those_of_all_positions(counts, max_positions):
    assert room(LENGTH) == 4
    args = random(counts)
    loss = Loss(0.1, 1e-2, max_logits_bytes=4 * BATCH * VOCAB * max_positions)
    uniforms = jax.random.uniform(jax.random.key(0), (BATCH, LENGTH, 2))
    drawing = Draws(uniforms, temperature=0.7)
    actual = differentiated(summed_where_predicted, loss, args, draws=drawing)
    wanted = differentiated(summed_cross_entropy, loss, args, draws=drawing)
    assert_close(actual, wanted)
    total, _ = summed_where_predicted(project, loss, *args)
    np.testing.assert_allclose(total, 2 * wanted[0], rtol=1e-5)


def test_what_is_not_predicted_is_not_projected():
    """Where there is room, hidden states of other positions are not even read."""
    head, hidden, targets, weights = random([4] * BATCH)
    hidden = jnp.where(weights[..., None] > 0, hidden, jnp.inf)
    total, _, (head_grads, _) = differentiated(
        summed_where_predicted, LOSS, (head, hidden, targets, weights)
    )
    assert np.isfinite(total)
    assert np.isfinite(head_grads).all()


def test_products_are_of_few_positions():
    args = random([4] * BATCH)
    jaxpr = jax.make_jaxpr(lambda: differentiated(summed_where_predicted, LOSS, args))()
    [switch] = [e for e in jaxpr.eqns if e.primitive.name == "cond"]
    branches = [str(branch) for branch in switch.params["branches"]]
    for projected, branch in zip((4, 8, LENGTH), branches, strict=True):
        assert branch.count(" dot_general[") == 3
        for positions in (4, 8, LENGTH):
            logits = f"f32[{BATCH * positions},{VOCAB}]"
            assert (logits in branch) == (positions == projected)


def test_bfloat16():
    head, hidden, *rest = random([4] * BATCH)
    args = (head, hidden.astype(jnp.bfloat16), *rest)
    _, _, (head_grads, hidden_grads) = differentiated(summed_where_predicted, LOSS, args)
    assert (head_grads.dtype, hidden_grads.dtype) == (jnp.float32, jnp.bfloat16)


@pytest.mark.parametrize("shape", [(8, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("most", [4, 5, 9])
def test_devices_change_nothing(shape, most):
    args = random([0, 1, 2, 3, 4, 4, 4, most])
    mesh = MeshShape(*shape).mesh()
    rows, everywhere = batch_sharding(mesh), replicated(mesh)
    run = jax.jit(
        lambda *args: differentiated(summed_where_predicted, LOSS, args, mesh=mesh),
        in_shardings=(everywhere, rows, rows, rows),
    )
    actual = run(*jax.device_put(args, (everywhere, rows, rows, rows)))
    assert_close(actual, differentiated(summed_cross_entropy, LOSS, args))
