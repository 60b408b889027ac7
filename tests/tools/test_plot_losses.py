"""Curves and table of runs' losses."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "study" / "plot_losses.py"


def plot(*arguments):
    return subprocess.run(
        [sys.executable, TOOL, *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def runs(tmp_path):
    rows = [
        {"step": 50, "train/loss": 6.5},
        {"step": 100, "train/loss": 5.25},
        {"step": 100, "eval/loss": 5.5},
        {"step": 100, "train/loss": 5.0},  # again, after an interruption
        {"step": 1500, "train/loss": 4.0},
    ]
    for name in ("bert_tiny", "gpt_tiny"):
        (tmp_path / name).mkdir()
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name / "metrics.jsonl").write_text(lines + '{"step": 15', encoding="utf-8")
    return tmp_path


def test_a_figure_and_a_table(runs):
    found = plot(runs / "bert_tiny", runs / "gpt_tiny", "--output", runs / "losses.svg")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[2:] == [
        "| bert_tiny | 1,500 | 6.50 | 4.00 | 5.50 |",
        "| gpt_tiny | 1,500 | 6.50 | 4.00 | 5.50 |",
    ]
    figure = (runs / "losses.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(figure).tag.endswith("svg")
    assert all(comment in figure for comment in ("<!-- bert_tiny -->", "<!-- held out -->"))


def test_what_is_no_run(runs):
    found = plot(runs / "gone", "--output", runs / "losses.svg")
    assert found.returncode == 1
    assert found.stderr.strip().endswith("metrics.jsonl'; name folders of runs.")
    assert not (runs / "losses.svg").exists()
