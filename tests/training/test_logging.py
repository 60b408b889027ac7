import json

from t2t.training.logging import MetricsLog
from t2t.training.run_directory import RunDirectory


def entries(run):
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]


def test_resuming_drops_later_and_broken_lines(tmp_path):
    run = RunDirectory(tmp_path)
    log = MetricsLog(run, 0)
    for step in (10, 20, 30):
        log.write(step, {"train/loss": step / 10})
    log.close()
    with run.metrics.open("a") as file:
        file.write('[1]\n{"train/loss": 1.0}\n{"step": 40, "train/lo')  # killed while writing
    log = MetricsLog(run, 20)
    log.write(25, {"train/loss": 9.0})
    log.close()
    assert entries(run) == [
        {"step": 10, "train/loss": 1.0},
        {"step": 20, "train/loss": 2.0},
        {"step": 25, "train/loss": 9.0},
    ]
    assert not list(tmp_path.glob("*.tmp"))
