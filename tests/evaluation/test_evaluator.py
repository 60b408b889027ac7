"""Evaluation against numbers worked out by hand, and its independence of batch size."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.preprocessors import text_to_text
from t2t.data.sources import InMemoryDataSource, JsonLinesDataSource, TfdsDataSource
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.baselines import unigram_loss
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.metrics import exact_match, rank_classification
from t2t.evaluation.policy import EvalPolicy
from t2t.evaluation.postprocessors import rank_classification as rank_classification_values
from t2t.evaluation.results import TaskResult, flat_metrics
from t2t.models.definition import Model
from t2t.training.partitioning import MeshShape
from tests.training.conftest import TINY

LENGTHS = {"inputs": 16, "targets": 12}
MODEL = Model(TINY)


@pytest.fixture(scope="module")
def params():
    return jax.jit(lambda: MODEL.init(jax.random.key(0)))()


@pytest.fixture
def task(byte_features):
    words = [f"w{i * i}" for i in range(20)]
    return Task(
        "words",
        InMemoryDataSource({s: [{"w": w} for w in words] for s in ("train", "validation")}),
        byte_features,
        preprocessors=(text_to_text("in {w}", "{w}"),),
        metric_fns=(exact_match,),
        baseline_fn=lambda inputs: inputs.removeprefix("in ") if "1" in inputs else "",
    )


def evaluate(task, params, **policy):
    policy = EvalPolicy(**({"batch_size": 8} | policy))
    return Evaluator(MODEL, MeshShape().mesh(), task, LENGTHS, policy).evaluate(params)[task.name]


def test_loss_is_per_real_target_token_whatever_the_batch_size(task, params):
    batch = next(EvaluationSet(task, "validation", LENGTHS).batches(20))
    logits = np.asarray(MODEL.bind(params)(batch), np.float64)
    log_z = np.log(np.exp(logits).sum(-1))
    picked = np.take_along_axis(logits, batch["decoder_target_tokens"][..., None], -1)[..., 0]
    weights = batch["decoder_loss_weights"]
    expected = ((log_z - picked) * weights).sum() / weights.sum()
    for batch_size in (8, 16, 24):
        result = evaluate(task, params, batch_size=batch_size)
        assert result.num_examples == 20
        assert result.metrics["loss"] == pytest.approx(expected, rel=1e-5)


def test_predictions_do_not_depend_on_the_batch_size(task, params):
    small, large = (evaluate(task, params, batch_size=b).predictions for b in (8, 24))
    texts = [[p["prediction"] for p in found] for found in (small, large)]
    assert texts[0] == texts[1]
    assert [p["targets"] for p in small] == [f"w{i * i}" for i in range(20)]


def test_baselines_use_the_same_examples_and_metrics(task, params):
    result = evaluate(task, params)
    with_a_one = sum("1" in f"w{i * i}" for i in range(20))
    assert result.baselines["exact_match"] == with_a_one / 20
    sets = [EvaluationSet(task, s, LENGTHS) for s in ("train", "validation")]
    assert result.baselines["unigram_loss"] == unigram_loss(*sets, TINY.vocab_size)


def test_unigram_loss_by_hand(byte_features):
    source = InMemoryDataSource({"train": [{"t": "ab"}], "validation": [{"t": "a"}]})
    task = Task("t", source, byte_features, preprocessors=(text_to_text("", "{t}"),))
    sets = [EvaluationSet(task, s, LENGTHS) for s in ("train", "validation")]
    # Training targets: a, b, end; each seen once, and one added to all of 10 ids.
    assert unigram_loss(*sets, vocab_size=359) == pytest.approx(-np.log(2 / (359 + 3)))


def test_num_examples_and_postprocess(task, params):
    def lengths(text, example, is_target):
        return 2 if is_target else example["w"]  # what a prediction becomes sees its example

    task = dataclasses.replace(task, postprocess_fn=lengths)
    result = evaluate(task, params, num_examples=5)
    assert result.num_examples == len(result.predictions) == 5
    assert result.metrics["exact_match"] == 0.0


def test_means_have_intervals(task, params):
    result = evaluate(task, params)
    assert set(result.intervals) == {"loss", "token_accuracy", "exact_match"}
    for name, interval in result.intervals.items():
        assert interval.low <= result.metrics[name] <= interval.high
    assert result.intervals["loss"].low < result.intervals["loss"].high
    assert result.intervals == evaluate(task, params, batch_size=16).intervals


def ranked_task(features, metric_fns, **changes):
    texts = ["yes", "no, never", "perhaps"]
    examples = [
        {"inputs": f"q{i}", "targets": text, "idx": (i, c), "is_correct": c == i % 3}
        for i in range(4)
        for c, text in enumerate(texts)
    ]
    return Task(
        "ranked",
        InMemoryDataSource({"validation": examples}),
        features,
        postprocess_fn=rank_classification_values,
        metric_fns=metric_fns,
        **changes,
    )


def test_scores_are_log_likelihoods_of_the_targets(byte_features, params):
    seen = {}

    def keep(targets, scores):
        seen.setdefault("targets", targets)  # once: then again for each draw of the examples
        seen.setdefault("scores", scores)
        return {"kept": 1.0}

    rank = functools.partial(rank_classification, num_classes=3)
    task = ranked_task(byte_features, (keep, rank))
    result = evaluate(task, params)
    assert set(result.metrics) == {
        "loss", "token_accuracy", "kept", "accuracy", "mean_3class_f1"
    }  # fmt: skip
    assert result.predictions == ()
    lengths = [length for _, _, _, length in seen["targets"]]
    assert lengths == [len(text) + 1 for text in ("yes", "no, never", "perhaps")] * 4
    assert -sum(seen["scores"]) / sum(lengths) == pytest.approx(result.metrics["loss"], rel=1e-5)
    chosen = [int(np.argmax(seen["scores"][i : i + 3])) for i in (0, 3, 6, 9)]
    hits = [c == right for c, right in zip(chosen, (0, 1, 2, 0), strict=True)]
    assert result.metrics["accuracy"] == pytest.approx(100 * np.mean(hits))


def test_nothing_left_to_evaluate(task, params):
    task = dataclasses.replace(task, preprocessors=(lambda example: None,))
    with pytest.raises(UserError, match=r"Task 'words': .* left no examples to evaluate"):
        evaluate(task, params)


def test_flat_metrics(task, params):
    results = {"words": evaluate(task, params)}
    flat = flat_metrics(results)
    assert flat["loss"] == flat["words/loss"] == results["words"].metrics["loss"]


def test_data_that_are_not_prepared_are_told_at_once(task, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    source = TfdsDataSource("glue/rte:2.0.0", ["train", "validation"])
    with pytest.raises(UserError, match=r"Task 'words': .*rte:2.0.0' is not prepared.* Prepare it"):
        Evaluator(MODEL, MeshShape().mesh(), task.replace(source=source), LENGTHS, EvalPolicy())


def test_training_data_are_not_needed(task, params, tmp_path, caplog):
    (tmp_path / "dev.jsonl").write_text('{"w": "a"}\n')
    paths = {"train": str(tmp_path / "train.jsonl"), "validation": str(tmp_path / "dev.jsonl")}
    result = evaluate(task.replace(source=JsonLinesDataSource(paths)), params)
    assert "loss" in result.metrics
    assert set(result.baselines) == {"exact_match"}
    assert "there is no unigram baseline, since: Task 'words':" in caplog.text


def test_no_task_with_the_split_is_an_error(task):
    with pytest.raises(
        UserError, match=r"No task of 'words' has a split 'test'.*train, validation"
    ):
        Evaluator(MODEL, MeshShape().mesh(), task, LENGTHS, EvalPolicy(split="test"))


@pytest.mark.parametrize("name", ["every", "num_examples", "batch_size", "max_decode_length"])
def test_bad_policies(name):
    with pytest.raises(UserError, match=f"EvalPolicy.{name} must be at least 1, got 0"):
        EvalPolicy(**{name: 0})


def test_a_baseline_that_fails_is_named(task, params):
    broken = task.replace(baseline_fn=lambda inputs: inputs[99])
    with pytest.raises(UserError, match="Task 'words': baseline_fn failed: IndexError: "):
        evaluate(broken, params)


def test_the_loss_over_tasks_is_of_those_that_have_one():
    results = {
        name: TaskResult(1, metrics, {}, ())
        for name, metrics in {"a": {"loss": 2.0}, "b": {}, "c": {"loss": 4.0}}.items()
    }
    assert flat_metrics(results) == {"a/loss": 2.0, "c/loss": 4.0, "loss": 3.0}
    assert flat_metrics({"b": results["b"]}) == {}
