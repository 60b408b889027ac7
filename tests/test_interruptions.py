"""Real processes, really interrupted: what is left goes on and ends with the same bits.

tools/interruptions/run.py does the same at many random moments.
"""

import json
import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "interruptions"
STEPS = 110
BINDINGS = [f"TRAIN_STEPS={STEPS}", "EvalPolicy.every=40"]


@pytest.fixture(scope="module")
def tool():
    """The modules of the tool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOL))
        import attempt
        import comparison
        import plan

        yield attempt, comparison, plan
    for module in ("attempt", "comparison", "plan"):
        del sys.modules[module]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("interruptions")


@pytest.fixture(scope="module")
def start(tool, folder):
    attempt, _, _ = tool
    started = []

    def begin(name, *bindings):
        started.append(attempt.Attempt(folder, name, [*BINDINGS, *bindings]))
        return started[-1]

    yield begin
    for process in started:
        process.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(start, folder):
    """An uninterrupted run: its ending, and what it printed at the end."""
    ending = start("whole").end()
    assert ending.status == 0, ending.log
    return ending, held_out(folder / "whole-0.stdout")


def held_out(output):
    return output.read_text().split("Held-out results")[1].split("To go on")[0]


@pytest.mark.timeout(3600)  # five starts, on a busy machine
def test_interrupted_and_resumed_ends_with_the_same_bits(start, whole, tool, folder):
    _, comparison, _ = tool
    endings = []
    for kind, step in ((signal.SIGKILL, 33), (signal.SIGTERM, 58), (signal.SIGINT, 80)):
        process = start("interrupted")
        assert process.wait(step)
        endings.append(process.end(kind))
    endings.append(start("interrupted").end())
    killed, terminated, interrupted, last = endings

    assert [ending.status for ending in endings] == [-9, 128 + 15, 128 + 2, 0]
    assert terminated.resumed_from in (0, 25), "what was saved by the time of the kill"
    assert "took over the lock of process" in terminated.log
    for stopped, following in ((terminated, interrupted), (interrupted, last)):
        said = " ".join(stopped.log.split())
        step = re.search(rf"Stopped by SIG\w+ after step (\d+) of {STEPS}", said)
        assert int(step[1]) == following.resumed_from
        assert "Run the same command again to go on" in said
        assert "Traceback" not in said
        assert "took over" not in following.log, "the lock was released"

    assert comparison.differences(folder / "whole", folder / "interrupted") == []
    expected, output = whole
    for ending in endings:
        assert ending.batches
        compared = comparison.differing_batches(
            expected.batches, ending.resumed_from, ending.batches
        )
        assert compared == []
    assert held_out(folder / "interrupted-0.stdout") == output
    assert killed.resumed_from == 0


def test_a_second_run_in_the_folder_is_refused(start, folder):
    first = start("shared", "TRAIN_STEPS=100000")
    assert first.wait(1)
    second = start("shared", "TRAIN_STEPS=100000").end()
    locks = [path.name for path in (folder / "shared" / "lock").iterdir()]
    ending = first.end(signal.SIGTERM)
    assert second.status == 1
    assert "is being written by another run: process" in " ".join(second.log.split())
    assert "Traceback" not in second.log
    assert ending.status == 128 + 15
    assert locks == ["1.json"]


@pytest.mark.parametrize("part", ["params", "train"])
def test_the_comparison_sees_one_bit_of_an_array(tool, whole, folder, part, monkeypatch):
    _, comparison, _ = tool
    real = comparison.arrays
    name = next(name for name, array in real(folder / "whole").items() if name.startswith(part))
    calls = []

    def changed(run):
        arrays = real(run)
        calls.append(run)
        if len(calls) == 2:
            flipped = np.frombuffer(arrays[name].tobytes(), np.uint8).copy()
            flipped[-1] ^= 1
            arrays[name] = flipped.view(arrays[name].dtype).reshape(arrays[name].shape)
        return arrays

    monkeypatch.setattr(comparison, "arrays", changed)
    assert comparison.differences(folder / "whole", folder / "whole") == [name]


def test_the_comparison_sees_positions_metrics_and_predictions(tool, whole, folder, tmp_path):
    _, comparison, _ = tool
    shutil.copytree(folder / "whole", tmp_path / "other")
    assert comparison.differences(folder / "whole", tmp_path / "other") == []

    metrics = tmp_path / "other" / "metrics.jsonl"
    lines = metrics.read_text().splitlines()
    values = json.loads(lines[0])
    step = values["step"]
    lines[0] = json.dumps(values | {"train/loss": np.nextafter(values["train/loss"], 9)})
    metrics.write_text("\n".join(lines[:-1]) + "\n")
    [file] = sorted((tmp_path / "other" / "eval").iterdir())[:1]
    file.unlink()
    data = tmp_path / "other" / "checkpoints" / str(STEPS) / "data" / "metadata"
    data.write_text(data.read_text().replace("1", "2", 1))
    found = comparison.differences(folder / "whole", tmp_path / "other")
    assert {"data", f"metrics.jsonl, step {step}: train/loss", f"eval/{file.name}"} <= set(found)
    assert f"metrics.jsonl, step {STEPS}: a line of one run alone" in found

    batches = whole[0].batches
    assert comparison.differing_batches(batches, 3, batches[3:]) == []
    assert comparison.differing_batches(batches, 3, [batches[3], "other"]) == [5]


def test_moments_are_drawn_from_the_seed_in_the_order_of_steps(tool):
    _, _, plan = tool
    drawn = plan.draw_plan(3, 50, 1000)
    assert drawn == plan.draw_plan(3, 50, 1000)
    assert drawn != plan.draw_plan(4, 50, 1000)
    kinds = [interruption.kind for interruption in drawn]
    assert sorted(kinds.count(kind) for kind in plan.KINDS) == [16, 17, 17]
    steps = [interruption.step for interruption in drawn if interruption.step is not None]
    assert len(steps) == 40
    assert steps == sorted(steps)
    assert 1 <= steps[0] < 100
    assert 850 < steps[-1] <= 950


def test_an_impossible_folder_is_one_message(start, folder):
    (folder / "file").write_text("in the way")
    ending = start("file").end()
    assert ending.status == 1
    assert "Traceback" not in ending.log
    assert str(folder / "file") in "".join(ending.log.split())
    assert (folder / "file").read_text() == "in the way"
