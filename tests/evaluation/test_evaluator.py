"""Evaluation against numbers worked out by hand, and its independence of batch size."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.preprocessors import text_to_text
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.baselines import unigram_loss
from t2t.evaluation.evaluator import EvalPolicy, Evaluator, flat_metrics, write_predictions
from t2t.evaluation.metrics import exact_match
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
    assert small == large
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


def test_prediction_files_and_flat_metrics(task, params, tmp_path):
    results = {"words": evaluate(task, params)}
    write_predictions(results, tmp_path / "new", 12)
    lines = (tmp_path / "new" / "words-000012.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == list(results["words"].predictions)
    flat = flat_metrics(results)
    assert flat["loss"] == flat["words/loss"] == results["words"].metrics["loss"]


def test_no_task_with_the_split_is_an_error(task):
    with pytest.raises(
        UserError, match=r"No task of 'words' has a split 'test'.*train, validation"
    ):
        Evaluator(MODEL, MeshShape().mesh(), task, LENGTHS, EvalPolicy(split="test"))


@pytest.mark.parametrize("name", ["every", "num_examples", "batch_size", "max_decode_length"])
def test_bad_policies(name):
    with pytest.raises(UserError, match=f"EvalPolicy.{name} must be at least 1, got 0"):
        EvalPolicy(**{name: 0})
