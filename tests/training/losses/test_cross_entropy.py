import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from t2t.training.losses.cross_entropy import summed_cross_entropy
from t2t.training.losses.draws import Draws, sample
from t2t.training.losses.language_modeling import Loss
from t2t.training.partitioning import MeshShape, batch_sharding, replicated

BATCH, LENGTH, D_MODEL, VOCAB = 8, 7, 8, 16


def flat(hidden, kernel):
    rows = hidden.reshape(-1, hidden.shape[-1]) @ kernel.astype(hidden.dtype)
    return rows.reshape(*hidden.shape[:-1], -1).astype(jnp.float32)


def tied(head, hidden):
    return flat(hidden * D_MODEL**-0.5, head["token_embedder"]["embedding"].T)


def untied(head, hidden):
    return flat(hidden, head["lm_head"]["kernel"])


def biased(head, hidden):
    bias = head["lm_head"]["bias"]
    return untied(head, hidden) + bias.reshape(1, 1, -1)


def soft_capped(head, hidden):
    return 2.0 * jnp.tanh(untied(head, hidden) / 2.0)


HEADS = {project.__name__: project for project in (tied, untied, biased, soft_capped)}


def random(project, dtype=jnp.float32, batch=BATCH, length=LENGTH, vocab=VOCAB):
    """Head, hidden states, targets and weights: a quarter is 0, the first row is empty."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    kernel = {"kernel": normal(D_MODEL, vocab)}
    if project is biased:
        kernel["bias"] = normal(vocab)
    head = {"lm_head": kernel}
    if project is tied:
        head = {"token_embedder": {"embedding": normal(vocab, D_MODEL)}}
    targets = jnp.asarray(rng.integers(0, vocab, (batch, length)), jnp.int32)
    weights = rng.random((batch, length)) * (rng.random((batch, length)) > 0.25)
    weights[0] = 0
    hidden = normal(batch, length, D_MODEL).astype(dtype)
    return head, hidden, targets, jnp.asarray(weights, jnp.float32)


def limited(positions, label_smoothing=0.0, z_loss=0.0, batch=BATCH, vocab=VOCAB):
    """A loss whose chunks are of at most this many positions."""
    return Loss(label_smoothing, z_loss, max_logits_bytes=4 * batch * vocab * positions)


def naive(project, loss, head, hidden, targets, weights):
    logits = project(head, hidden)
    scores = Loss()(logits, targets), jnp.argmax(logits, -1) == targets
    return jnp.sum(loss(logits, targets) * weights), scores


def with_gradients(function, project, loss, args, **kwargs):
    """(sum, scores), gradients with respect to head, hidden states and weights."""
    head, hidden, targets, weights = args

    def scaled(head, hidden, weights):
        total, scores = function(project, loss, head, hidden, targets, weights, **kwargs)
        return 0.5 * total, (total, scores)

    differentiated = jax.jit(jax.grad(scaled, argnums=(0, 1, 2), has_aux=True))
    grads, out = differentiated(head, hidden, weights)
    return out, grads


def assert_close(actual, expected, rtol=2e-5, atol=2e-5):
    jax.tree.map(
        lambda a, e: np.testing.assert_allclose(
            np.asarray(a, np.float32), np.asarray(e, np.float32), rtol, atol
        ),
        jax.tree.leaves(actual),
        jax.tree.leaves(expected),
    )


@pytest.mark.parametrize("settings", [(0.0, 0.0), (0.1, 1e-2)])
@pytest.mark.parametrize("name", HEADS)
def test_values_and_gradients_equal_those_from_all_logits(name, settings):
    project = HEADS[name]
    args = random(project)
    loss = limited(3, *settings)  # 7 positions: 3 + 3 + 1
    out, grads = with_gradients(summed_cross_entropy, project, loss, args)
    wanted_out, wanted_grads = with_gradients(naive, project, loss, args)
    assert_close(out, wanted_out)
    assert_close(grads, wanted_grads)
    undifferentiated = summed_cross_entropy(project, loss, *args)
    assert_close(undifferentiated, wanted_out)
    assert jax.tree.structure(grads[0]) == jax.tree.structure(args[0])
    assert {x.dtype for x in jax.tree.leaves((grads, out))} == {jnp.dtype("float32")}


@pytest.mark.parametrize("positions", [0.01, 1, 2, 4, 6, 7, 100])
def test_any_length_of_chunks_gives_the_same(positions):
    args = random(untied)
    out, grads = with_gradients(summed_cross_entropy, untied, limited(positions), args)
    assert_close((out, grads), with_gradients(naive, untied, limited(positions), args))


def test_bfloat16_hidden_states():
    args = random(untied, jnp.bfloat16)
    loss = limited(2, 0.1, 1e-3)
    out, grads = with_gradients(summed_cross_entropy, untied, loss, args)
    wanted_out, wanted_grads = with_gradients(naive, untied, loss, args)
    assert_close(out, wanted_out)
    assert grads[1].dtype == jnp.bfloat16
    assert grads[0]["lm_head"]["kernel"].dtype == jnp.float32
    assert_close(grads, wanted_grads, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("positions", [3, 100])
def test_tokens_of_no_weight_have_no_gradient(positions):
    args = random(untied)
    out, (_, hidden_grads, _) = with_gradients(
        summed_cross_entropy, untied, limited(positions), args
    )
    none = np.asarray(args[3]) == 0
    assert none.sum() > LENGTH
    assert (np.asarray(hidden_grads)[none] == 0).all()
    assert (np.asarray(hidden_grads)[~none] != 0).any(-1).all()
    cross_entropy = out[1].cross_entropy
    assert (np.asarray(cross_entropy)[none] > 0).all()  # yet they are scored


@pytest.mark.parametrize("positions", [3, 100])
def test_scores_are_constants(positions):
    head, *rest = random(untied)

    def scored(head):
        _, scores = summed_cross_entropy(untied, limited(positions), head, *rest)
        return jnp.sum(scores.cross_entropy) + jnp.sum(scores.correct)

    assert (np.asarray(jax.grad(scored)(head)["lm_head"]["kernel"]) == 0).all()


@pytest.mark.parametrize("positions", [3, 100])
def test_no_matrix_product_is_done_twice(positions):
    args = random(untied)

    def products(function):
        return str(jax.make_jaxpr(function)()).count(" dot_general[")

    loss = limited(positions)
    assert products(lambda: summed_cross_entropy(untied, loss, *args)) == 1
    assert products(lambda: with_gradients(summed_cross_entropy, untied, loss, args)) == 3


@pytest.mark.parametrize("positions", [3, 100])
def test_tokens_are_drawn_from_the_same_logits(positions):
    args = random(untied)
    uniforms = jax.random.uniform(jax.random.key(2), (BATCH, LENGTH, 2))
    draws, loss = Draws(uniforms, temperature=0.5), limited(positions)

    def drawing(*args, **kwargs):
        return summed_cross_entropy(*args, **kwargs, draws=draws)

    (total, scores), grads = with_gradients(drawing, untied, loss, args)
    wanted = sample(untied(*args[:2]) / 0.5, uniforms)
    np.testing.assert_array_equal(scores.sampled, wanted)
    np.testing.assert_array_equal(drawing(untied, loss, *args)[1].sampled, wanted)
    assert len(np.unique(wanted)) > 5
    out, plain = with_gradients(summed_cross_entropy, untied, loss, args)
    assert_close((total, grads), (out[0], plain))
    text = str(jax.make_jaxpr(lambda: with_gradients(drawing, untied, loss, args))())
    assert text.count(" dot_general[") == 3


MESHES = [(8, 1, 1), (1, 8, 1), (2, 2, 2), (1, 1, 8)]


def jitted(shape, args, loss):
    """The differentiated sum, its arguments split as in training."""
    mesh = MeshShape(*shape).mesh()
    rows = batch_sharding(mesh)
    kernel = {"lm_head": {"kernel": NamedSharding(mesh, PartitionSpec("fsdp", "tensor"))}}
    return jax.jit(
        lambda *args: with_gradients(summed_cross_entropy, untied, loss, args, mesh=mesh),
        in_shardings=(kernel, rows, rows, rows),
        out_shardings=((replicated(mesh), rows), (kernel, rows, rows)),
    ).lower(*args)


ONE_OF_EIGHT = 4 * BATCH * VOCAB * 3 // 8
"""Bytes of logits of three positions on each of eight devices."""


@pytest.mark.parametrize("shape", MESHES)
def test_devices_change_nothing(shape):
    args = random(untied)
    loss = Loss(0.1, 1e-2, max_logits_bytes=ONE_OF_EIGHT)
    compiled = jitted(shape, args, loss).compile()
    actual = compiled(*jax.device_put(args, compiled.input_shardings[0]))
    assert_close(actual, with_gradients(naive, untied, loss, args))


@pytest.mark.usefixtures("optimised")
def test_devices_exchange_the_gradient_of_the_head_once_and_not_per_chunk():
    loss = Loss(max_logits_bytes=ONE_OF_EIGHT)
    text = jitted((8, 1, 1), random(untied), loss).compile().as_text()
    bodies = set(re.findall(r"body=%?([\w.\-]+)", text))
    computations = {c.split(" (", 1)[0].lstrip("%"): c for c in text.split("\n\n") if " (" in c}
    reducing = {name for name, code in computations.items() if " all-reduce(" in code}
    assert bodies
    assert bodies <= computations.keys()
    assert reducing
    assert not reducing & bodies


def test_only_the_logits_of_one_device_count():
    args = random(untied)

    def in_chunks(mesh):
        loss = Loss(max_logits_bytes=4 * BATCH * VOCAB * LENGTH // 8)
        traced = jax.make_jaxpr(lambda: summed_cross_entropy(untied, loss, *args, mesh=mesh))()
        return " scan[" in str(traced)

    assert in_chunks(None)
    assert not in_chunks(MeshShape().mesh())
    assert in_chunks(MeshShape().mesh(jax.devices()[:4]))


@pytest.mark.usefixtures("optimised")
def test_less_memory_than_all_logits():
    batch, length, vocab = 2, 64, 4096
    args = random(untied, batch=batch, length=length, vocab=vocab)

    def temporary(function):
        loss = limited(4, 0.1, 1e-4, batch=batch, vocab=vocab)
        jitted = jax.jit(lambda *args: with_gradients(function, untied, loss, args))
        return jitted.lower(*args).compile().memory_analysis().temp_size_in_bytes

    assert temporary(naive) >= 4 * batch * length * vocab
    assert temporary(summed_cross_entropy) < temporary(naive) / 4
