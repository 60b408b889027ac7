"""ELECTRA's two losses, against a direct computation from both models' logits."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.config import Dropout
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import HeadTransform, LMHead, TokenClasses
from t2t.models.norms import LayerNorm
from t2t.training.losses.electra import ElectraLoss
from t2t.training.losses.language_modeling import Loss
from tests.training.stepping import (
    STACK,
    VOCAB,
    assert_step_of,
    cross_entropy,
    evaluate,
    masked_rows,
    random_params,
    step,
)

NARROW = dataclasses.replace(
    STACK, d_model=4, embedding=dataclasses.replace(STACK.embedding, size=8)
)
MODEL = Electra(
    EncoderOnly(VOCAB, NARROW, (LMHead(transform=HeadTransform("relu", LayerNorm(), 8)),)),
    EncoderOnly(VOCAB, STACK, (TokenClasses(1, "gelu_exact"),)),
)
BATCH = masked_rows()
REAL = BATCH["encoder_target_tokens"] > 0
MASKED = BATCH["encoder_loss_weights"]
# So cold that the most likely token is drawn: what comes out can be computed without drawing.
COLD = ElectraLoss(temperature=1e-5)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def by_hand(params):
    """Cross-entropy of the generator and the discriminator per token, and what was replaced."""
    parts = Model(MODEL).expanded(params)
    logits = Model(MODEL.generator).bind(parts["generator"])(BATCH)
    drawn = jnp.where(MASKED == 1, jnp.argmax(logits, -1), BATCH["encoder_target_tokens"])
    replaced = drawn != BATCH["encoder_target_tokens"]
    module = Model(MODEL.discriminator).bind(parts["discriminator"])
    yes = module.outputs({**BATCH, "encoder_input_tokens": drawn}, "token_head")
    logits_of_both = jnp.concatenate([jnp.zeros_like(yes), yes], -1)
    generator = cross_entropy(logits, BATCH["encoder_target_tokens"])
    discriminator = cross_entropy(logits_of_both, replaced.astype(jnp.int32))
    return generator, discriminator, replaced, (yes[..., 0] > 0) == replaced


def objective(params):
    generator, discriminator, *_ = by_hand(params)
    return jnp.sum(generator * MASKED) / MASKED.sum() + 50.0 * (
        jnp.sum(discriminator * REAL) / REAL.sum()
    )


@functools.cache
def cold_step(shape=None, microbatches=1):
    return step(MODEL, COLD, BATCH, shape, microbatches)


@pytest.mark.parametrize(("shape", "microbatches"), [(None, 1), (None, 2), ((2, 2, 2), 2)])
def test_the_gradient_is_that_of_both_means_over_the_global_batch(shape, microbatches):
    params, _ = cold_step(shape, microbatches)
    assert_step_of(objective, MODEL, params)


def test_sums_equal_those_by_hand():
    _, metrics = cold_step()
    generator, discriminator, replaced, right = map(np.asarray, by_hand(random_params(MODEL)))
    assert 0 < replaced.sum() <= MASKED.sum()
    expected = {
        "discriminator/loss": (discriminator * REAL).sum(),
        "discriminator/accuracy": (right & REAL).sum(),
        "discriminator/replaced": replaced.sum(),
        "discriminator/weight": REAL.sum(),
    }
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, rel=1e-5)
    assert metrics["loss"] == pytest.approx((generator * MASKED).sum(), rel=1e-5)
    assert metrics["tokens"] == MASKED.sum()
    rows = evaluate(MODEL, COLD, BATCH)
    np.testing.assert_allclose(
        rows["discriminator/loss"], (discriminator * REAL).sum(-1), rtol=1e-5
    )
    np.testing.assert_array_equal(rows["discriminator/replaced"], replaced.sum(-1))


def test_no_gradient_flows_through_what_was_drawn():
    apart = dataclasses.replace(MODEL, share_embeddings=False)
    params, _ = step(apart, COLD, BATCH)

    def alone(generator):
        logits = Model(apart.generator).bind(generator)(BATCH)
        return jnp.sum(cross_entropy(logits, BATCH["encoder_target_tokens"]) * MASKED)

    before = random_params(apart)["generator"]
    grads = jax.jit(jax.grad(alone))(before)
    jax.tree.map(
        lambda old, grad, new: np.testing.assert_allclose(
            new, old - 0.1 * np.asarray(grad) / MASKED.sum(), rtol=0, atol=1e-6
        ),
        before,
        grads,
        params["generator"],
    )


def test_drawing_depends_on_the_step_in_training_and_on_nothing_in_evaluation():
    warm = ElectraLoss()
    first, again, later = (
        step(MODEL, warm, BATCH, count=count)[1]["discriminator/loss"] for count in (0, 0, 1)
    )
    assert first == again != later
    half = {name: array[4:] for name, array in BATCH.items()}
    once, again, of_half = (evaluate(MODEL, warm, batch) for batch in (BATCH, BATCH, half))
    jax.tree.map(np.testing.assert_array_equal, once, again)
    np.testing.assert_array_equal(
        of_half["discriminator/replaced"], once["discriminator/replaced"][4:]
    )


def test_dropout_of_either_part_drops_out():
    for part in ("generator", "discriminator"):
        other = dataclasses.replace(getattr(MODEL, part), dropout=Dropout(residual=0.5))
        assert dataclasses.replace(MODEL, **{part: other}).dropout
    assert not MODEL.dropout


def test_chunks_of_logits_change_nothing():
    small = dataclasses.replace(COLD, generator=Loss(max_logits_bytes=4 * VOCAB * 8 * 3))
    warm = dataclasses.replace(small, temperature=1.0)
    params, metrics = step(MODEL, small, BATCH)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), params, cold_step()[0])
    assert metrics["discriminator/replaced"] == cold_step()[1]["discriminator/replaced"]
    drawn = [
        evaluate(MODEL, loss, BATCH)["discriminator/replaced"] for loss in (warm, ElectraLoss())
    ]
    np.testing.assert_array_equal(*drawn)


# Refusals.


def test_needs_electra():
    with pytest.raises(UserError, match=r"the model is EncoderOnly. Set MODEL = @Electra\(\)"):
        ElectraLoss().check(MODEL.discriminator, None)
    with pytest.raises(UserError, match=r"train.loss = @ElectraLoss\(\)"):
        Loss().check(MODEL, None)


@pytest.mark.parametrize("name", ["discriminator_weight", "temperature"])
def test_refuses_what_is_not_above_zero(name):
    with pytest.raises(UserError, match=f"ElectraLoss.{name} must be above 0, got 0"):
        ElectraLoss(**{name: 0.0})
