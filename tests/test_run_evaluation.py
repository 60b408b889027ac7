import json
import types

import pytest

from t2t import run_evaluation
from t2t.errors import UserError
from t2t.run_evaluation import await_checkpoint, best_step
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
