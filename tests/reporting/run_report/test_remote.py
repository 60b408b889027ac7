"""A run on gs://, with a server of our own."""

import json

import pytest
from etils import epath

from t2t.reporting.run_report.page import page
from t2t.reporting.run_report.runs import RunReader
from tests import gcs_server
from tests.reporting.run_report.made_runs import entry, make_run

pytest.importorskip("gcsfs")


def test_a_run_on_gs(tmp_path, monkeypatch, caplog):
    local = make_run(tmp_path / "run", steps=range(10, 201, 10))
    with gcs_server.serve() as address:
        for name, value in gcs_server.environment(address).items():
            monkeypatch.setenv(name, value)
        caplog.set_level("CRITICAL", "gcsfs")
        remote = epath.Path("gs://bucket/runs/run")
        for path in local.rglob("*"):
            if path.is_file():
                (remote / str(path.relative_to(local))).write_bytes(path.read_bytes())
        (remote / "checkpoints" / "100" / "manifest.json").write_text("{}")
        reader = RunReader("gs://bucket/runs/run")
        here, there = RunReader(str(local)).read("run"), reader.read("run")
        assert there.last_step == 200
        assert there.checkpoints == [100]
        assert there.config == here.config
        assert there.predictions == here.predictions != {}
        assert there.results == here.results
        assert there.last_logged is not None
        assert "<h1>run</h1>" in page([there])
        before = reader.signature()
        assert reader.signature() == before
        more = (local / "metrics.jsonl").read_text() + json.dumps(entry(210)) + "\n"
        (remote / "metrics.jsonl").write_text(more)
        assert reader.signature() != before
        assert reader.read("run").last_step == 210
