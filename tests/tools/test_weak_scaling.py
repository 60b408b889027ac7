"""The table of weak scaling, without compiling anything."""

import dataclasses
import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from t2t.planning.scaling import Point

SOURCE = Path(__file__).resolve().parents[2] / "tools" / "bench" / "weak_scaling.py"
WORDS = ["--gin_file=models/t5_1_1_base.gin", "--gin.Compute.remat='full'"]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("weak_scaling", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def processes(monkeypatch, returncode=0):
    """Stands in for those that compile; the commands that they were given."""
    commands = []

    def run(command, **_):
        commands.append(command)
        topology = next(word for word in command[::-1] if word.startswith("--topologies="))
        name = topology.partition("=")[2]
        found = Point(name, {"fsdp": 4}, 4, 1000, {"all-gather": 10**6}, *[0.1] * 5, 0.5, 0.25)
        line = f"noise\n{json.dumps(dataclasses.asdict(found))}\n"
        return subprocess.CompletedProcess(command, returncode, "" if returncode else line)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_process_for_each_topology(tool, monkeypatch, capsys, tmp_path):
    commands, stored = processes(monkeypatch), tmp_path / "points.jsonl"
    words = [*WORDS, "--topologies=v5e:2x2,v5e:4x4", f"--output={stored}"]
    assert tool.main(words) == 0
    assert [command[-2:] for command in commands] == [
        ["--topologies=v5e:2x2", "--point"],
        ["--topologies=v5e:4x4", "--point"],
    ]
    assert all("--gin.Compute.remat='full'" in command for command in commands)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 4 (v5e:2x2)", "| 4 (v5e:4x4)"]
    assert [json.loads(line)["topology"] for line in stored.read_text().splitlines()] == [
        "v5e:2x2",
        "v5e:4x4",
    ]


def test_failures_end_it(tool, monkeypatch, capsys):
    commands = processes(monkeypatch, returncode=1)
    assert tool.main(WORDS) == 1
    assert len(commands) == 1
    assert capsys.readouterr().out == ""


def test_mistakes_are_one_line(tool, capsys):
    assert tool.main([*WORDS, "--topologies=v5f:2x2", "--point"]) == 1
    assert "weak_scaling: error: --topology=v5f:2x2" in capsys.readouterr().err
