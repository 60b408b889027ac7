"""`t2t plan` as a user would give it."""

import json

import pytest

from t2t.cli import main

TINY = (
    *("--gin_file=models/bytes_tiny.gin", "--gin_file=runs/pretrain.gin", "--topology=cpu:8"),
    *("--gin.train.batch_size=8", "--gin.train.sequence_length={'inputs': 16, 'targets': 16}"),
)


def test_plans_without_data_and_without_naming_any(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", *TINY, "--decode_batch_size=0", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["topology"], facts["batch_size"], facts["tokens"]) == ("cpu:8", 8, 8 * 32)
    assert list(facts["programs"]) == ["train step"]
    assert facts["programs"]["train step"]["roofline"] is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TINY, "--topology=v5e"], "is no topology"),
        ([*TINY, "--topology=h300:8"], "Did you mean 'h"),
        ([*TINY, "--decode_batch_size=-1"], "must not be negative"),
        ([*TINY, "--search_batch_sizes=8"], "--search_batch_sizes needs --search=N"),
        ([*TINY, "--search=2", "--search_batch_sizes=8,0"], "must be above 0"),
        ([*TINY, "--search=2", "--search_batch_sizes=8,x"], "are no numbers"),
        ([*TINY, "--search=0"], "--search must be at least 1, got 0"),
        ([*TINY, "--search=2", "--json"], "leave --json out"),
        ([*TINY, "--gin.train.batch_sise=8"], "Did you mean 'batch_size'"),
        ([*TINY, "--gin.train.batch_size=12"], "A batch of 12 rows does not divide"),
        ([*TINY, "--gin.MeshShape.fsdp=3"], "does not use the 8 device"),
        (["--topology=cpu:8"], "these have no value: train.batch_size"),
    ],
)
def test_mistakes_are_messages(capsys, arguments, message):
    assert main(["plan", *arguments]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert message in error
    assert "Traceback" not in error
