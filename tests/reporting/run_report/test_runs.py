import json

import pytest

from t2t.errors import UserError
from t2t.reporting.run_report.charts import axes_of, chart_data, charts_of
from t2t.reporting.run_report.comparison import (
    differing_settings,
    events_of,
    time_split,
    tokens_by_task,
)
from t2t.reporting.run_report.runs import RunReader, names_of
from tests.reporting.run_report.made_runs import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return RunReader(str(make_run(tmp_path_factory.mktemp("runs") / "one"))).read("one")


def test_facts_of_a_run(run):
    assert (run.last_step, run.total_steps, run.parameters) == (400, 400, 1_234_567)
    assert run.checkpoints == [300, 400]
    assert run.tasks == ["spanish", "spanish/few"]
    assert run.resolved("train.mixture") == "'both'"
    assert run.notes == []
    assert tokens_by_task(run) == {"spanish": (3200, 400), "spanish/few": (800, 200)}


def test_where_the_time_went(run):
    split = time_split(run)
    assert (split["step"], split["data"]) == (240.0, 80.0)
    assert "productive" not in split
    assert sum(split.values()) == pytest.approx(run.last_logged - 1000.0)
    assert axes_of(run)["tokens"][1][-1] == 4000
    assert axes_of(run)["hours"][1][-1] == pytest.approx(320 / 3600, rel=1e-4)


def test_events(run):
    assert [(e.step, e.kind) for e in events_of(run)] == [
        (0, "start"), (200, "start"), (300, "rollback"), (300, "guard"),
    ]  # fmt: skip
    assert events_of(run)[1].text == "started again on 4 x TPU v5e on b"
    assert events_of(run)[3].text == "updates left out: 3"


def test_which_curves_are_drawn_together(run):
    charts = charts_of([run, run])
    titles = [chart.title for chart in charts.all()]
    assert titles[:2] == ["loss", "token accuracy"]
    assert [(c.run, c.label) for c in charts.loss[0].curves] == [
        (0, "train"), (1, "train"), (0, "eval"), (1, "eval"),
    ]  # fmt: skip
    assert [chart.title for chart in charts.tasks["spanish"]] == [
        "loss", "accuracy", "tokens seen",
    ]  # fmt: skip
    loss, accuracy, _ = charts.tasks["spanish"]
    assert (loss.baseline, accuracy.baseline) == (4.0, 30.0)
    assert [chart.title for chart in charts.tasks["spanish/few"]] == ["tokens seen"]
    assert [chart.title for chart in charts.parts] == ["gradient norm, encoder"]
    assert [chart.title for chart in charts.guard] == ["updates left out", "rollbacks"]
    assert [chart.title for chart in charts.other] == ["custom/value"]
    memory = next(chart for chart in charts.speed if chart.title == "memory, GiB")
    assert memory.curves[0].series.values.tolist() == [2.0] * 40


def test_points_of_curves(run):
    data = chart_data(charts_of([run]).all())
    accuracy = next(chart for chart in data if chart["title"] == "accuracy")
    assert accuracy["curves"] == [
        {
            "run": 0,
            "label": "eval",
            "x": [100, 200, 300, 400],
            "y": [25.0, 50.0, 75.0, 100.0],
            "low": [20.0, 45.0, 70.0, 95.0],
            "high": [30.0, 55.0, 80.0, 105.0],
        }
    ]
    json.dumps(data, allow_nan=False)


def test_settings_that_differ(tmp_path, run):
    other = make_run(tmp_path / "other", batch_size=32)
    with (other / "config.gin").open("a") as file:
        file.write("Wandb.project = 'x'\n")
    second = RunReader(str(other)).read("other")
    assert differing_settings([run, second]) == {
        "Wandb.project": [None, "'x'"],
        "train.batch_size": ["16", "32"],
    }
    assert differing_settings([run, run]) == {}


def test_a_run_of_which_much_is_missing(tmp_path):
    folder = tmp_path / "imported"
    folder.mkdir()
    (folder / "model.json").write_text('{"imported": {"optimizer": false}}')
    run = RunReader(str(folder)).read("imported")
    assert run.series == {}
    assert run.notes == [
        "An imported model: how it was trained before is not known here.",
        "There is no config.gin: the run was made from Python, or imported.",
    ]
    (folder / "model.json").unlink()
    (folder / "metrics.jsonl").write_text('{"step": 5, "train/loss": NaN}\n{"step": 6, "tra')
    (folder / "config.gin").write_text("train.total_steps = %STE")
    (folder / "starts.jsonl").write_text('{"step": 0')
    run = RunReader(str(folder)).read("begun")
    assert (run.last_step, run.total_steps, run.starts) == (5, None, [])
    assert run.notes == ["There was no evaluation yet."]
    assert time_split(run) == {}
    assert axes_of(run) == {}
    assert chart_data(charts_of([run]).all())[0]["curves"][0]["y"] == [None]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        RunReader(str(tmp_path / "nothing"))
    make_run(tmp_path / "runs" / "one")
    with pytest.raises(UserError, match=r"not the folder of a training run.*In it are.*/one"):
        RunReader(str(tmp_path / "runs"))


def test_names_tell_runs_apart(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert names_of(["."]) == ["here"]
    assert names_of([".", "../there"]) == ["here", "there"]
    assert names_of(["/a/run"]) == ["run"]
    assert names_of(["/a/run", "/b/run/"]) == ["a/run", "b/run"]
    assert names_of(["gs://x/one", "two"]) == ["one", "two"]
    for twice in (["/a/run", "/a/run"], ["run", "./run/"]):
        with pytest.raises(UserError, match="given twice"):
            names_of(twice)
