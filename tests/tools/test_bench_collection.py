"""The benchmark of collections, on three tasks."""

import runpy
import sys
from pathlib import Path

from t2t.data.registry import MixtureRegistry, TaskRegistry

TOOL = Path(__file__).parents[2] / "tools" / "bench" / "collection.py"


def test_every_stage_is_timed(monkeypatch, capsys):
    for registry in (TaskRegistry, MixtureRegistry):
        monkeypatch.setattr(registry, "_items", {})
    monkeypatch.setattr(sys, "argv", [str(TOOL), "--tasks=3", "--examples=5"])
    runpy.run_path(str(TOOL), run_name="__main__")
    stages = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert stages[:4] == ["register", "count examples", "open and check texts", "first batch"]
    assert len(MixtureRegistry.get("bench").tasks) == 3
