"""`t2t infer` on what does not end well, on shares, and on tasks."""

import functools
import json
import random
import signal
import time
from pathlib import Path

import jax
import pytest

from t2t.cli import main
from t2t.commands.decoding_flags import over
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.sampling import Sampling
from t2t.evaluation.evaluator import EvalPolicy
from t2t.trained_model import TrainedModel
from tests.commands.imported import make
from tests.commands.test_decoding_flags import decoding, parsed
from tests.processes import Job

LINES = 1000
SAMPLED = ("--samples=1", "--temperature=0.7", "--scores", "--max_decode_length=12")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, and records of random length for it."""
    folder = tmp_path_factory.mktemp("infer")
    make("t5", folder)
    rng = random.Random(0)
    texts = ["".join(rng.choices("abcdef ", k=rng.randrange(12))) for _ in range(LINES)]
    records = [{"id": i, "inputs": text} for i, text in enumerate(texts)]
    (folder / "in.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


@pytest.fixture(autouse=True)
def place(folder, monkeypatch):
    """The folder to work in, and the tests' own cache of compiled programs."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)


def words(output, *more):
    files = ("--input=in.jsonl", f"--output={output}")
    return ("infer", "--model_dir=t5", *files, "--batch_size=4", *SAMPLED, *more)


@pytest.fixture(scope="module")
def whole(folder):
    """What it says when nothing comes between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*words("whole.jsonl")]) == 0
    text = (folder / "whole.jsonl").read_text()
    assert [json.loads(line)["id"] for line in text.splitlines()] == list(range(LINES))
    return text


def test_killed_again_and_again_it_writes_what_it_would_have(folder, whole):
    rng = random.Random(1)
    partial = folder / "out.jsonl.partial"
    for _ in range(2):
        with Job(("-m", "t2t.cli", *words("out.jsonl")), 1, folder=folder) as job:
            size = _size(partial)
            job.wait_until(lambda size=size: _size(partial) > size)
            time.sleep(rng.random() / 4)
            job.processes[0].send_signal(signal.SIGKILL)
            assert job.wait() == [-signal.SIGKILL]
        assert not (folder / "out.jsonl").exists()
    assert main([*words("out.jsonl")]) == 0
    assert (folder / "out.jsonl").read_text() == whole
    assert not list(folder.glob("*.partial"))


def _size(folder):
    """Bytes of results, 0 if there are none."""
    return sum(path.stat().st_size for path in folder.glob("*.results"))


def test_shards_give_the_lines_of_the_whole(folder, whole):
    for shard in range(2):
        sharing = (f"--shard={shard}/2", "--num_parts=3", "--num_examples=100")
        assert main([*words("parts.jsonl", *sharing)]) == 0
    files = sorted(folder.glob("parts-0000?-of-00003.jsonl"))
    found = "".join(path.read_text() for path in files)
    assert found.splitlines() == whole.splitlines()[:100]


def test_a_task_is_read_with_its_targets(capsys):
    ask = ["infer", "--model_dir=t5", "--task=spelling", "--num_examples=5", "--truncate"]
    assert main([*ask, "--max_decode_length=2", "--quiet"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 5
    assert all({"inputs", "targets", "prediction"} <= record.keys() for record in records)
    assert main([*ask[:2], "--task=spellin"]) == 1
    assert "Did you mean 'spelling'" in " ".join(capsys.readouterr().err.split())


def test_a_bad_line_after_a_window_keeps_what_is_done(folder, capsys):
    good = (folder / "in.jsonl").read_text().splitlines()[:40]
    Path("bad.jsonl").write_text("\n".join([*good, "{"]) + "\n")
    ask = ["infer", "--model_dir=t5", "--output=bad.out", "--batch_size=4", *SAMPLED]
    assert main([*ask, "--input=bad.jsonl"]) == 1
    assert "'bad.jsonl', line 41 is not JSON" in " ".join(capsys.readouterr().err.split())
    assert main([*ask, "--input=bad.jsonl", "--seed=2"]) == 1
    errors = " ".join(capsys.readouterr().err.split())
    assert "bad.out.partial' has what another command began: there, --seed was left out" in errors
    Path("bad.jsonl").write_text("\n".join(good) + "\n")
    assert main([*ask, "--input=bad.jsonl"]) == 0
    assert " 8 records in" in f" {capsys.readouterr().err}"  # the others were done
    assert len(Path("bad.out").read_text().splitlines()) == 40


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", Decoding(Beam(3), 20, 2)),
        ("--max_decode_length 9", Decoding(Beam(3), 9, 2)),
        ("--beams 5 --min_decode_length 0", Decoding(Beam(5), 20, 0)),
        ("--top_k 4", Decoding(Sampling(top_k=4), 20, 2)),
    ],
)
def test_flags_go_over_what_evaluation_does(flags, expected):
    assert over(Decoding(Beam(3), 20, 2), parsed(flags), decoding(flags)) == expected
    assert over(None, parsed(flags), decoding(flags)) == decoding(flags)


def test_evaluation_says_how_if_the_run_did():
    policy = EvalPolicy(decoding=Decoding(Beam(3)), max_decode_length=20)
    arguments = {"sequence_length": {"inputs": 8, "targets": 9}, "evaluation": policy}
    trained = functools.partial(TrainedModel, model=None, params=None, step=0, tokenizer=None)
    assert trained(arguments, task_or_mixture=None).evaluation_decoding == Decoding(Beam(3), 20)
    assert trained({}, task_or_mixture=None).evaluation_decoding is None
