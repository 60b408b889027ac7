"""The benchmark of generation: all three say the same, and what it stores is consistent."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

for _name in ("torch", "transformers", "ctranslate2"):
    pytest.importorskip(_name, exc_type=ImportError)

pytestmark = pytest.mark.parity

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench" / "generation.py"
TINY = {"VOCAB_SIZE": 64, "D_MODEL": 16, "D_FF": 32, "NUM_HEADS": 2, "HEAD_DIM": 8}


def bench(*words):
    command = [sys.executable, str(SCRIPT), "--gin_file=models/bytes_tiny.gin", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def test_report(tmp_path):
    output = tmp_path / "report.json"
    bindings = [f"--gin.{name}={value}" for name, value in TINY.items()]
    sizes = ("--inputs_length=8", "--new_tokens=6", "--runs=3", "--threads=1")
    process = bench(*bindings, *sizes, f"--output={output}")
    assert process.returncode == 0, process.stderr
    report = json.loads(output.read_text())
    rows = {"greedy, batch 1": 1, "greedy, batch 16": 16, "beam of 4, batch 4": 4}
    assert report["cases"].keys() == rows.keys()
    for case, found in report["cases"].items():
        ours = found["t2t"]["seconds"]["all"]
        for peer in ("transformers", "ctranslate2"):
            theirs = found[peer]["seconds"]["all"]
            ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
            assert found[peer]["t2t_over_it"]["median"] == pytest.approx(statistics.median(ratios))
            if peer == "transformers" or case.startswith("greedy"):  # its beams differ
                assert found[peer]["same_tokens"] > 0.9
        speeds = [rows[case] * 6 / seconds for seconds in ours]
        assert found["t2t"]["tokens_per_second"]["max"] == pytest.approx(max(speeds))
        assert case in process.stdout


def test_a_mistake_is_one_line():
    process = bench("--output=/nowhere/report.json")
    assert process.returncode == 1
    assert process.stderr == "generation: error: --output: there is no folder '/nowhere'.\n"
