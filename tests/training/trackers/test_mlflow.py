"""MLflow with a database in a file, read back."""

import json

import pytest

from t2t.training.logging import MetricsLog
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers import MLflow
from t2t.training.trackers.mlflow import _allowed

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")

# Of MLflow's own tables, in the SQLAlchemy of today.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


def test_it_goes_on_under_its_id_and_has_each_step_once(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create()
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    config = {f"setting{i}": "x" * 7000 for i in range(120)} | {"a/B.c": "@d()"}
    for resume, steps in ((0, (10, 20, 30)), (20, (30, 40))):
        log = MetricsLog(run, resume, [MLflow(uri, experiment="here")], config)
        for step in steps:
            log.write(step, {"train/loss": step / 10 + resume})
        log.write(steps[-1], {"eval/a:b/loss": float("nan")})
        log.close()
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("here")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_id == json.loads(run.trackers.read_text())["mlflow"]["id"]
    assert found.info.run_name == "run"
    assert found.info.status == "FINISHED"
    assert len(found.data.params) == 121
    assert found.data.params["a/B.c"] == "@d()"
    history = client.get_metric_history(found.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(10, 1.0), (20, 2.0), (30, 3.0), (40, 24.0)]
    evaluated = client.get_metric_history(found.info.run_id, "eval/a_b/loss")
    assert [m.step for m in evaluated] == [30, 40]


def test_names_are_made_fit():
    assert _allowed("eval/wmt_t2t_ende_v003/bleu") == "eval/wmt_t2t_ende_v003/bleu"
    assert _allowed("eval/ü(1)%/f-1") == "eval/__1__/f-1"
