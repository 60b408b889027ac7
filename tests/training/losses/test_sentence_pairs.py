"""BERT's and ALBERT's two losses, against a direct computation."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.data.converters import EncoderFeatureConverter
from t2t.data.features import Feature
from t2t.data.objectives import MaskedLanguageModel, SentenceOrderPrediction, SpanCorruption
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead, SequenceClasses
from t2t.training.losses.sentence_pairs import SentencePairLoss
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

MODEL = EncoderOnly(VOCAB, STACK, (LMHead(), SequenceClasses(2)))
LABELS = np.array([0, 1, 1, 0, 1, 1, 0, 1], np.int32)
BATCH = masked_rows() | {
    "encoder_sentence_label": np.pad(LABELS[:, None], ((0, 0), (0, STACK.positions.max_length - 1)))
}
MASKED = BATCH["encoder_loss_weights"]
LOSS = SentencePairLoss(weight=0.5)


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def by_hand(params):
    """Cross-entropy of each token and each row, and whether the row's class is right."""
    module = Model(MODEL).bind(params)
    tokens = cross_entropy(module(BATCH), BATCH["encoder_target_tokens"])
    classes = module.outputs(BATCH, "sequence_head")
    return tokens, cross_entropy(classes, LABELS), jnp.argmax(classes, -1) == LABELS


def objective(params):
    tokens, rows, _ = by_hand(params)
    return jnp.sum(tokens * MASKED) / MASKED.sum() + 0.5 * jnp.mean(rows)


@functools.cache
def one_step(shape=None, microbatches=1):
    return step(MODEL, LOSS, BATCH, shape, microbatches)


def test_devices_have_unequal_numbers_of_masked_tokens():
    assert len(set(MASKED.reshape(4, -1).sum(-1).tolist())) > 1


@pytest.mark.parametrize(("shape", "microbatches"), [(None, 1), (None, 4), ((2, 2, 2), 2)])
def test_the_gradient_is_that_of_both_means_over_the_global_batch(shape, microbatches):
    assert_step_of(objective, MODEL, one_step(shape, microbatches)[0])


def test_gradients_reach_the_pooler_and_both_heads():
    before, after = random_params(MODEL), one_step()[0]
    for part in (("sequence_head", "dense"), ("sequence_head", "out"), ("token_embedder",)):
        old, new = (functools.reduce(lambda t, k: t[k], part, tree) for tree in (before, after))
        moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), old, new)
        assert min(jax.tree.leaves(moved)) > 1e-4


def test_sums_equal_those_by_hand():
    tokens, rows, right = map(np.asarray, by_hand(random_params(MODEL)))
    _, metrics = one_step()
    assert metrics["loss"] == pytest.approx((tokens * MASKED).sum(), rel=1e-5)
    assert metrics["tokens"] == MASKED.sum()
    assert metrics["sentence/loss"] == pytest.approx(rows.sum(), rel=1e-5)
    assert metrics["sentence/accuracy"] == right.sum()
    assert metrics["sentence/weight"] == len(LABELS)
    by_row = evaluate(MODEL, LOSS, BATCH)
    np.testing.assert_allclose(by_row["sentence/loss"], rows, rtol=1e-5)
    np.testing.assert_allclose(by_row["loss"], (tokens * MASKED).sum(-1), rtol=1e-5)


def test_a_row_of_padding_does_not_count():
    padded = {name: np.copy(x) for name, x in BATCH.items()}
    for array in padded.values():
        array[2] = 0
    weights = LOSS.weights(MODEL, padded)["sentence"]
    assert weights.ravel().tolist() == [1, 1, 0, 1, 1, 1, 1, 1]


# Refusals.


def task(objective):
    feature = Feature(ByteVocabulary(), add_eos=False)
    return Task(
        name="pairs",
        source=InMemoryDataSource({"train": [{"targets": "a b"}]}),
        preprocessors=(),
        output_features={"inputs": feature, "targets": feature},
        objective=objective,
    )


PAIRS = task(SentenceOrderPrediction())
CHECKED = {
    "decoder": (DecoderOnly(VOCAB, STACK), PAIRS, r"is DecoderOnly. Its loss .*= @Loss\(\)"),
    "no head": (
        dataclasses.replace(MODEL, heads=(LMHead(),)),
        PAIRS,
        r"has: LMHead. Set EncoderOnly.heads = \(@LMHead\(\), @SequenceClasses\(\)\)",
    ),
    "no LM head": (
        dataclasses.replace(MODEL, heads=(SequenceClasses(2),)),
        PAIRS,
        "has: SequenceClasses. Set",
    ),
    "three classes": (
        dataclasses.replace(MODEL, heads=(LMHead(), SequenceClasses(3))),
        PAIRS,
        "SequenceClasses.num_classes = 2",
    ),
    "no labels": (
        MODEL,
        task(MaskedLanguageModel()),
        r"task 'pairs' does not have \(its objective is MaskedLanguageModel\). NextSentencePred",
    ),
    "no labels, and nothing else": (
        MODEL,
        task(SpanCorruption()),
        r"objective is SpanCorruption\)",
    ),
    "no objective": (MODEL, task(None), r"'sentence_label', which task 'pairs' .*\(no objective\)"),
}


def test_accepts_a_model_and_a_task_that_fit():
    LOSS.check(MODEL, PAIRS)


@pytest.mark.parametrize("name", CHECKED)
def test_refuses_models_and_tasks_that_do_not_fit(name):
    model, data, message = CHECKED[name]
    with pytest.raises(UserError, match=message):
        LOSS.check(model, data)


def test_rows_are_not_packed():
    assert not LOSS.converter(MODEL, PAIRS, pack=True).pack
    packed = BATCH | {"encoder_segment_ids": np.ones_like(MASKED)}
    with pytest.raises(UserError, match=r"set EncoderFeatureConverter.pack = False"):
        LOSS.terms(Model(MODEL), {}, packed, None, None)


def test_a_batch_without_labels_is_refused():
    batch = {name: x for name, x in BATCH.items() if name != "encoder_sentence_label"}
    with pytest.raises(UserError, match=r"aligned_features = \('sentence_label', 'token_types'\)"):
        LOSS.terms(Model(MODEL), {}, batch, None, None)


def test_the_converter_carries_labels_along():
    converter = LOSS.converter(MODEL, PAIRS, pack=False)
    assert isinstance(converter, EncoderFeatureConverter)
    assert {"sentence_label", "token_types"} <= {*converter.aligned_features}


def test_refuses_a_weight_that_is_not_above_zero():
    with pytest.raises(UserError, match=r"SentencePairLoss.weight must be above 0, got 0"):
        SentencePairLoss(0.0)
