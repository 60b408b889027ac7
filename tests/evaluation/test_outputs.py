"""What metrics are given: answers, likelihoods of them, and likelihoods of given texts."""

import functools
import json

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.preprocessors import rank_classification_formatter
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.decoding.scorer import Scorer
from t2t.evaluation import metrics, postprocessors
from t2t.evaluation.comparison import compare_records
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.policy import EvalPolicy
from t2t.models.definition import Model
from t2t.training.partitioning import MeshShape
from tests.decoding.numbers import Numbers, texts
from tests.decoding.predicting import BOTH, GPT, T5, params_of

LENGTHS = {"inputs": 8, "targets": 6}
CHOICES = ["3 4", "5 6", "9 7 8"]


def evaluate(task, config, **policy):
    policy = EvalPolicy(**{"batch_size": 8, **policy})
    evaluator = Evaluator(Model(config), MeshShape().mesh(), task, LENGTHS, policy)
    return evaluator.evaluate(params_of(config))[task.name]


def ranked(examples, **options):
    metric = functools.partial(metrics.rank_classification, **options)
    return Task(
        "ranked",
        InMemoryDataSource({"validation": examples}),
        BOTH,
        preprocessors=(rank_classification_formatter("{text}", CHOICES),),
        postprocess_fn=postprocessors.rank_classification,
        metric_fns=(metric,),
    )


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("config", [T5, GPT], ids=["t5", "gpt"])
def test_ranking_from_text_to_metric(config, normalize):
    examples = [{"text": x, "label": i % 3} for i, x in enumerate(texts([1, 2, 3, 4, 5, 6, 7]))]
    task = ranked(examples, num_classes=3, normalize_by_target_length=normalize)
    result = evaluate(task, config)

    # Independently: each choice by the scorer, whose likelihoods are tested against PyTorch's.
    scorer = Scorer(Model(config), params_of(config), BOTH)
    records = [{"inputs": e["text"], "candidates": CHOICES} for e in examples]
    rankings = list(scorer.rank(records, normalize=normalize))
    chosen = [CHOICES.index(ranking.best) for ranking in rankings]
    hits = [c == e["label"] for c, e in zip(chosen, examples, strict=True)]
    assert len(set(chosen)) > 1
    assert result.metrics["accuracy"] == pytest.approx(100 * np.mean(hits))
    assert result.num_examples == len(result.records) == 21
    scores = [record["score"] for record in result.records]
    totals = [s.score() for ranking in rankings for s in ranking.candidates]
    np.testing.assert_allclose(scores, totals, rtol=1e-4, atol=1e-5)
    assert [record["idx"] for record in result.records[:4]] == [[0, 0], [0, 1], [0, 2], [1, 0]]
    assert result.records[1]["target_value"] == [[0, 1], False, 1.0, 3]
    interval = result.intervals["accuracy"]
    assert interval.low <= result.metrics["accuracy"] <= interval.high


def test_choices_without_a_right_one_are_scored_without_metrics():
    examples = [{"text": x, "label": -1} for x in texts([2, 3])]
    result = evaluate(ranked(examples), T5)
    assert result.metrics == result.baselines == {}
    assert all("score" in record and "targets" not in record for record in result.records)


def answered(metric, **fields):
    examples = [
        {"inputs": x, "targets": "3 4", "id": f"q{i}"} for i, x in enumerate(texts([1, 4, 6]))
    ]
    source = InMemoryDataSource({"validation": examples})
    return Task("answered", source, BOTH, metric_fns=(metric,), **fields)


@pytest.mark.parametrize("config", [T5, GPT], ids=["t5", "gpt"])
def test_likelihoods_of_answers_are_those_of_the_scorer(config):
    seen = {}

    def confident(targets, predictions, aux_values):
        seen.setdefault("predictions", predictions)
        seen.setdefault("scores", aux_values["scores"])
        return {"confidence": float(np.mean(aux_values["scores"]))}

    result = evaluate(answered(confident), config)
    assert result.metrics["confidence"] == pytest.approx(np.mean(seen["scores"]))
    assert "confidence" in result.intervals
    for record, text, score in zip(result.records, *seen.values(), strict=True):
        assert record["prediction"] == text
        assert record["prediction_score"] == pytest.approx(score, abs=1e-6)
    cut = [r for r in result.records if len(r["prediction"].split()) == LENGTHS["targets"]]
    assert cut == list(result.records)  # none has an end of sequence
    endless = {**BOTH, "targets": Feature(Numbers(), add_eos=False)}
    scorer = Scorer(Model(config), params_of(config), endless)
    pairs = [{"inputs": r["inputs"], "targets": r["prediction"]} for r in cut]
    expected = [scored.score() for scored in scorer.score(pairs)]
    np.testing.assert_allclose([r["prediction_score"] for r in cut], expected, rtol=1e-4)


def test_records_hold_what_json_can():
    def as_pair(decoded, example, is_target):
        return (np.int32(len(decoded)), {"id": example["id"]})

    def opaque(decoded, example, is_target):
        return object() if is_target else {"set": {1}}

    def nothing(targets, predictions):
        return {}

    record = evaluate(answered(nothing, postprocess_fn=as_pair), T5).records[1]
    assert record["number"] == 1
    assert record["id"] == "q1"
    assert record["target_value"] == [3, {"id": "q1"}]
    assert json.loads(json.dumps(record)) == record
    bare = evaluate(answered(nothing, postprocess_fn=opaque), T5).records[1]
    assert not {"target_value", "prediction_value"} & bare.keys()
    assert not {"target_value"} & evaluate(answered(nothing), T5).records[0].keys()


def test_predictions_that_are_no_label_are_wrong_and_counted():
    label = functools.partial(postprocessors.string_label_to_class_id, label_classes=["3 4", "5"])
    result = evaluate(answered(metrics.accuracy, postprocess_fn=label), T5)
    assert result.metrics["invalid_predictions"] == 100.0
    assert result.metrics["accuracy"] == 0.0
    assert [record["prediction_value"] for record in result.records] == [-1] * 3
    plain = evaluate(answered(metrics.exact_match), T5)
    assert "invalid_predictions" not in plain.metrics


def test_groups_from_text_through_files_to_comparison():
    """ReCoRD's shape: a query has several answers, each an example; only the first counts."""
    inputs = texts([1, 1, 4, 6, 6])
    examples = [
        {"inputs": x, "targets": "3 4", "answers": [x, "3"], "idx/passage": 0, "idx/query": q}
        for x, q in zip(inputs, (7, 7, 8, 9, 9), strict=True)
    ]
    source = InMemoryDataSource({"validation": examples})
    metric_fns = (metrics.deduplicate_metric(metrics.squad), in_all)
    task = Task("record", source, BOTH, metric_fns=metric_fns, postprocess_fn=postprocessors.record)
    result = evaluate(task, T5)
    told = [json.loads(json.dumps(record)) for record in result.records]
    assert ["metrics" in record for record in told] == [True, False, True, True, False]
    values = [record["metrics"]["f1"] for record in told if "metrics" in record]
    assert result.metrics["f1"] == pytest.approx(np.mean(values))
    assert set(result.intervals) == {"loss", "token_accuracy", "em", "f1", "groups"}
    found = {d.metric: d for d in compare_records(told, told, task, samples=100)}
    assert set(found) == set(result.intervals)
    assert found["f1"].ties == 3
    assert found["groups"].first == 3


def in_all(targets, predictions):
    return {"groups": len({target["group"] for target in targets})}
