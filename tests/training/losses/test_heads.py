"""Losses of heads: numbers by numpy, toy tasks learnt to the end, and what is refused."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import Feature
from t2t.data.heads import with_rows
from t2t.data.preprocessors import rekey
from t2t.data.vocabularies import ByteVocabulary
from t2t.decoding.head_predictor import HeadPredictor, HeadReader
from t2t.errors import UserError
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.policy import EvalPolicy
from t2t.models.config import SpecialTokens
from t2t.models.definition import Model
from t2t.models.encoder_decoder import SourceEncoder
from t2t.models.heads import LMHead, SequenceClasses, TokenClasses
from t2t.training import optimizers, schedules
from t2t.training.losses.heads import SequenceClassification, SpanExtraction, TokenClassification
from t2t.training.partitioning import MeshShape
from t2t.training.state import TrainState
from t2t.training.step import make_train_step
from tests.training.labelled import (
    HEADS,
    LENGTHS,
    LOSSES,
    STACK,
    TASKS,
    decoder,
    encoder,
    encoder_decoder,
    labels,
)

MESH = MeshShape().mesh(jax.devices()[:1])
CASES = [(kind, encoder) for kind in ("sentences", "tags", "spans")]
CASES += [("spans", encoder_decoder), ("tags", decoder)]


def lengths(kind):
    return {**LENGTHS, "inputs": 64} if kind == "spans" else LENGTHS


def batch_of(kind, config):
    task, loss = TASKS[kind], LOSSES[kind]
    examples = EvaluationSet(
        with_rows(task, loss.rows(config, task)),
        "train",
        lengths(kind),
        converter=loss.converter(config, task, pack=True),
    )
    return next(examples.batches(16))


@pytest.mark.parametrize(("kind", "make"), CASES)
def test_terms_equal_numpy(kind, make):
    model = Model(make(kind))
    batch = batch_of(kind, model.config)

    @jax.jit
    def computed(key):
        params = model.init(key)
        outputs = model.bind(params).outputs(batch, HEADS[kind].name)
        (term,) = LOSSES[kind].terms(model, params, batch, None, None).values()
        return term._replace(means={}), outputs

    term, outputs = computed(jax.random.key(0))
    side = model.config.loss_side
    targets, weights = batch[f"{side}_labels"], batch[f"{side}_loss_weights"]
    logits = np.asarray(outputs, np.float64)
    if kind == "spans":
        first = "decoder" if make is decoder else "encoder"
        logits = np.where(batch[f"{first}_input_tokens"][..., None] == 0, -1e9, logits)
        logits = logits.swapaxes(1, 2)
    elif kind != "tags":
        logits = logits[:, None]
    logs = log_softmax(logits, axis=-1)
    picked = np.take_along_axis(logs, targets[..., None], -1)[..., 0]
    assert weights.sum() == term.weights.sum() > 0
    np.testing.assert_allclose(term.total, -(picked * weights).sum(), rtol=1e-5)
    right = (logs.argmax(-1) == targets) & (weights > 0)
    assert (np.asarray(term.scores.correct) * weights).sum() == right.sum()
    (given,) = LOSSES[kind].weights(model.config, batch).values()
    np.testing.assert_array_equal(given, weights)


def trained(kind, model):
    """Parameters after some steps on all examples at once."""
    optimizer = optimizers.adamw(schedules.constant_schedule(2e-3))
    step = make_train_step(model, optimizer, MESH, loss=LOSSES[kind])
    params = jax.jit(model.init)(jax.random.key(1))
    state = TrainState(0, params, optimizer.transformation.init(params))
    batch = batch_of(kind, model.config)
    for _ in range(40):
        for _ in range(15):
            state, metrics = step(state, batch)
        if metrics["loss"].sum() < 0.02 * metrics["tokens"].sum():
            break
    return state.params


@pytest.mark.parametrize("kind", TASKS)
def test_a_tiny_encoder_learns_all(kind):
    model, task, loss = Model(encoder(kind)), TASKS[kind], LOSSES[kind]
    params = trained(kind, model)
    policy = EvalPolicy(batch_size=8)
    evaluator = Evaluator(model, MESH, task, lengths(kind), policy, loss=loss)
    result = evaluator.evaluate(params)[task.name]
    assert result.metrics["token_accuracy"] == 1
    assert result.metrics["loss"] < 0.1
    assert result.metrics.get("accuracy", 100.0) == 100.0
    assert result.metrics.get("exact_match", 1.0) == 1.0
    assert result.baselines == {}
    examples = task.source.examples("validation")
    for example, record in zip(examples, result.predictions, strict=True):
        assert {**example, "prediction": example["targets"]}.items() <= record.items()
    reader = HeadReader(
        HEADS[kind].name,
        loss.rows(model.config, task),
        loss.converter(model.config, task, pack=False),
        lengths(kind)["inputs"],
    )
    predictor = HeadPredictor(model, params, reader, batch_size=16)  # one compilation
    unlabelled = [{k: v for k, v in e.items() if k != "targets"} for e in examples]
    found = [prediction for (prediction,) in predictor.predict(unlabelled)]
    assert [prediction.text for prediction in found] == [e["targets"] for e in examples]
    assert all(-2 < prediction.score <= 0 for prediction in found)
    assert predictor.throughput.records == len(examples)
    assert predictor.throughput.describe().startswith(f"{len(examples)} records in ")


def test_special_tokens_of_each_architecture():
    vocabulary = TASKS["sentences"].output_features["inputs"].vocabulary
    loss = LOSSES["sentences"]
    for make, first in (
        (encoder, vocabulary.cls_id),
        (encoder_decoder, vocabulary.cls_id),
        (decoder, 0),
    ):
        framing = loss.rows(make("sentences"), TASKS["sentences"]).framing
        assert (framing.first, framing.separator) == (first, vocabulary.sep_id)


def test_converters_follow_the_model():
    loss, task = LOSSES["sentences"], TASKS["sentences"]
    converter = loss.converter(encoder("sentences"), task, pack=True)
    assert (converter.pack, converter.token_types, converter.mark_tokens) == (False, True, False)
    assert loss.converter(decoder("sentences"), task, pack=True).mark_tokens  # it starts with 0
    padless = dataclasses.replace(encoder("sentences"), tokens=SpecialTokens(pad=None))
    assert loss.converter(padless, task, pack=True).mark_tokens
    one_type = dataclasses.replace(STACK.embedding, token_types=1)
    plain = dataclasses.replace(
        encoder("sentences"), encoder=dataclasses.replace(STACK, embedding=one_type)
    )
    assert not loss.converter(plain, task, pack=True).token_types


def without(kind, *heads):
    return dataclasses.replace(encoder(kind), heads=heads)


def features(kind, **changes):
    task = TASKS[kind]
    return task.replace(output_features={**task.output_features, **changes})


TEXT = Feature(ByteVocabulary(2))
REFUSED = [
    (
        without("sentences", SequenceClasses(3)),
        SequenceClassification(),
        TASKS["sentences"],
        r"Task 'toy_sentences': it has 2 labels \('good', 'bad'\), but SequenceClasses.num_classes "
        r"is 3. Set SequenceClasses.num_classes = 2",
    ),
    (
        without("tags", TokenClasses(3)),
        TokenClassification(),
        TASKS["tags"],
        r"Task 'toy_tags': it has 4 labels .* TokenClasses.num_classes is 3",
    ),
    (
        without("sentences", LMHead(), TokenClasses(2)),
        SequenceClassification(),
        TASKS["sentences"],
        r"trains a head of SequenceClasses, but EncoderOnly.heads has: LMHead, TokenClasses. Set "
        r"EncoderOnly.heads = \(@SequenceClasses\(\),\)",
    ),
    (
        encoder("sentences"),
        SequenceClassification(),
        features("sentences", targets=TEXT),
        "Task 'toy_sentences': a head is trained on labels, but the vocabulary of 'targets' is B",
    ),
    (
        encoder("pairs"),
        SequenceClassification(),
        features("pairs", pair=Feature(ByteVocabulary(7))),
        "Task 'toy_pairs': 'inputs' and 'pair' are in one row, but have different vocabularies",
    ),
    (
        dataclasses.replace(decoder("sentences"), heads=(SequenceClasses(2),)),
        SequenceClassification(),
        TASKS["sentences"],
        "The first token of a DecoderOnly sees none of the text: set SequenceClasses.position",
    ),
    (
        dataclasses.replace(
            encoder_decoder("sentences"), source_encoder=SourceEncoder(9, STACK)
        ),
        SequenceClassification(),
        TASKS["sentences"],
        "a SourceEncoder reads those of another vocabulary",
    ),
    (
        without("pairs", TokenClasses(2)),
        TokenClassification(),
        TASKS["pairs"],
        "Task 'toy_pairs': it has a feature 'pair', but only words of 'inputs' have tags",
    ),
    (
        without("tags", TokenClasses(2)),
        TokenClassification(),
        features("tags", targets=labels("a b", "c")),
        "the tag 'a b' has a space in it",
    ),
    (
        encoder("spans"),
        SpanExtraction(),
        TASKS["sentences"],
        "Task 'toy_sentences': this head reads the feature 'pair', but there is only 'inputs', 't",
    ),
    (
        encoder("spans"),
        SpanExtraction(),
        TASKS["pairs"],
        "Task 'toy_pairs': its targets are labels, but answers are text as it stands in 'pair'",
    ),
    (
        encoder("spans"),
        SpanExtraction(),
        TASKS["spans"].replace(output_features={"targets": TEXT}),
        "Task 'toy_spans': this head reads the feature 'inputs', but there is only 'targets'",
    ),
    (
        encoder("spans"),
        SpanExtraction(),
        features("spans", inputs=TEXT, pair=TEXT),
        r"has neither a \[CLS\] nor a start of sequence",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("config", "loss", "task", "message"), REFUSED)
def test_what_does_not_fit_is_refused(config, loss, task, message):
    with pytest.raises(UserError, match=message):
        loss.check(config, task)


def test_answers_have_a_word_at_least():
    with pytest.raises(UserError, match="max_answer_words must be at least 1, got 0"):
        SpanExtraction(max_answer_words=0)


def test_a_record_without_its_pair_is_named():
    loss, config, task = LOSSES["pairs"], encoder("pairs"), TASKS["pairs"]
    rows, converter = loss.rows(config, task), loss.converter(config, task, pack=False)
    reader = HeadReader("sequence_head", rows, converter, 32)
    predictor = HeadPredictor(Model(config), {}, reader)
    with pytest.raises(UserError, match="Record 2 has no 'pair': this head reads"):
        list(predictor.predict([{"inputs": "a", "pair": "b"}, "a"]))
    with pytest.raises(UserError, match="batch_size must be at least 1, got 0"):
        HeadPredictor(Model(config), {}, reader, batch_size=0)


def test_a_label_of_the_data_that_the_task_does_not_have():
    task = TASKS["sentences"].replace(
        preprocessors=(rekey({"inputs": "inputs", "targets": "inputs"}),)
    )
    rows = LOSSES["sentences"].rows(encoder("sentences"), task)
    examples = EvaluationSet(with_rows(task, rows), "train", LENGTHS)
    with pytest.raises(
        UserError, match=r"Task 'toy_sentences': .*'ab x' is none of the labels 'good'"
    ):
        examples.examples  # noqa: B018
