import json
import types

import pytest

from t2t import run_evaluation
from t2t.errors import UserError
from t2t.evaluation.result_files import read_results, write_results
from t2t.evaluation.results import TaskResult
from t2t.run_evaluation import await_checkpoint, best_step, evaluate_all
from t2t.training.checkpoints import CheckpointPolicy

LOGGED = {
    2: {"eval/loss": 3.0, "eval/a/f1": 5.0, "train/loss": 1.0},
    4: {"eval/loss": 2.0, "eval/a/f1": float("nan")},
    6: {"eval/loss": 1.0, "eval/a/f1": 9.0},
    7: {"train/loss": 0.5},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder whose run logged those metrics, and the steps that it has checkpoints of."""
    lines = [json.dumps({"step": step, **values}) for step, values in LOGGED.items()]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 8, "eval')
    steps = [2, 4, 7]
    monkeypatch.setattr(run_evaluation, "steps_of", lambda folder: steps)
    return str(tmp_path), steps


def trained(**policy):
    return types.SimpleNamespace(arguments={"checkpoint": CheckpointPolicy(**policy)})


def test_the_best_of_the_checkpoints_that_are_there(run):
    folder, _ = run
    assert best_step(trained(), folder) == 4
    assert best_step(trained(), folder, "a/f1") == 2  # the higher the better, and NaN is none
    assert best_step(trained(best_metric="a/f1", best_mode="min"), folder) == 2
    assert best_step(trained(best_mode="max"), folder) == 2


def test_what_was_never_evaluated(run):
    folder, steps = run
    with pytest.raises(
        UserError, match=r"not evaluated by 'a/f2' in training. Did you mean 'a/f1'"
    ):
        best_step(trained(), folder, "a/f2")
    steps[:] = [7]
    with pytest.raises(UserError, match=r"\(7\) none was evaluated by 'loss' .* at 2, 4, 6.*--all"):
        best_step(trained(), folder)


def test_waiting_for_the_first_checkpoint(run, monkeypatch, tmp_path):
    folder, steps = run
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        steps.append(2)

    monkeypatch.setattr(run_evaluation.time, "sleep", sleep)
    steps.clear()
    await_checkpoint(folder, 0.5)  # not the folder of a run: what loads it will say so
    assert slept == []
    (tmp_path / "config.gin").write_text("")
    await_checkpoint(folder, 0.5)
    assert slept == [0.5]


class CountingEvaluator:
    """Stands for an `Evaluator`."""

    def __init__(self, **settings):
        self.settings, self.calls = {"split": "validation", **settings}, 0

    def evaluate(self, params):
        self.calls += 1
        return {"t": TaskResult(1, {"f1": 3.0}, {}, ({"number": 0},))}


@pytest.fixture
def evaluations(tmp_path, monkeypatch):
    """How many steps of a run of the steps 2 and 4 are evaluated for a folder."""
    steps = [2, 4]
    monkeypatch.setattr(run_evaluation, "steps_of", lambda folder: steps)
    monkeypatch.setattr(run_evaluation, "at_step", lambda *_: types.SimpleNamespace(params=None))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "started.txt").write_text("1.5\n")

    def count(name, folder=None, **settings):
        run, evaluator = types.SimpleNamespace(arguments={}), CountingEvaluator(**settings)
        found = dict(evaluate_all(run, str(tmp_path / name), evaluator, folder))
        assert {step: results["t"].metrics["f1"] for step, results in found.items()} == {2: 3, 4: 3}
        return evaluator.calls

    return count


def test_only_what_this_run_found_alike_is_not_computed_again(evaluations, tmp_path):
    folder = tmp_path / "found"
    folder.mkdir()
    assert evaluations("a", folder) == 2
    assert evaluations("a", folder) == 0
    assert evaluations("a", folder, seed=1) == 2
    assert evaluations("b", folder) == 2
    assert evaluations("b", folder) == 0
    (tmp_path / "b/started.txt").write_text("2.5\n")  # removed and trained anew
    assert evaluations("b", folder) == 2
    assert [stored.step for stored in read_results(folder)] == [2, 4]


def test_what_training_found_is_read_in_the_runs_own_folder_alone(evaluations, tmp_path):
    evaluator = CountingEvaluator()
    for folder in (tmp_path / "a/eval", tmp_path / "elsewhere"):
        folder.mkdir()
        write_results(evaluator.evaluate(None), folder, 2, evaluator.settings)
    assert evaluations("a") == 1
    assert evaluations("a", tmp_path / "a/eval") == 1
    assert evaluations("a", tmp_path / "a/eval") == 0
    assert evaluations("a", tmp_path / "elsewhere") == 2
