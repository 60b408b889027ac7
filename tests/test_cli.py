"""The commands of the README on a small run of the quickstart, and their mistakes."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from t2t.cli import main

SMALL = [
    "--gin.TRAIN_STEPS=16",
    "--gin.cosine_schedule.warmup_steps=2",
    "--gin.D_MODEL=32",
    "--gin.D_FF=64",
    "--gin.EvalPolicy.every=8",
    "--gin.EvalPolicy.num_examples=24",
    "--gin.EvalPolicy.batch_size=24",
    "--gin.CheckpointPolicy.every=8",
    "--gin.train.log_every=4",
]
INFER = ["infer", "--model_dir", "runs/quickstart", "--input=one.txt"]
QUICKSTART = ["train", "--gin_file=quickstart.gin", *SMALL]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which the quickstart has run, and what it printed."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "one.txt").write_text("correct: recieve\n")
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = t2t(*QUICKSTART)
    finally:
        os.chdir(before)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def in_folder(trained, monkeypatch):
    monkeypatch.chdir(trained[0])
    return trained[1]


def t2t(*words, **kwargs):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    command = [sys.executable, "-m", "t2t.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **kwargs)


def table_of(output):
    """{(task, metric): value} of the results table."""
    found, task = {}, None
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split("│")]
        if len(cells) == 6 and re.match(r"\d+\.\d{3}", cells[2]):
            found[task, cells[1]] = float(cells[2])
        elif len(cells) == 6:
            task = cells[1].split(" (")[0]
    return found


def test_training_shows_progress_results_predictions_and_commands(in_folder):
    assert re.search(r"step 16/16 +loss: sotu_span_corruption \d", in_folder)
    assert re.search(r"[\d,]+ tokens/s +[\d.]+ s/step", in_folder)
    assert "eval at step 8: spelling" in in_folder
    assert set(table_of(in_folder)) >= {
        ("sotu_span_corruption", "loss"),
        ("spelling", "exact_match"),
        ("inflection", "exact_match"),
    }
    assert in_folder.count(" unigram ") == 3
    assert len(re.findall(r"exact_match +│ +[\d.]+ │ +\[.*\] │ +[\d.]+ │", in_folder)) == 2
    predictions = in_folder.split("10 predictions on held-out examples")[1]
    assert len(re.findall(r"│ (ok|wrong) +│", predictions)) == 10


@pytest.mark.parametrize("what", ["use it", "evaluate it", "go on", "fine-tune"])
def test_the_printed_commands_work(in_folder, what):
    line = next(x for x in in_folder.splitlines() if x.strip().startswith(what))
    command = line.replace(what, "", 1).strip()
    command = re.sub(r"\bt2t\b", f"{shlex.quote(sys.executable)} -m t2t.cli", command)
    if what == "go on":
        command = command.replace("=32", "=20")
    if what == "fine-tune":
        small = [x for x in SMALL if "cosine" not in x and "Checkpoint" not in x]
        command += " " + " ".join(small)
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    expected = {
        "use it": r"^.*\n$",
        "evaluate it": "Results of step 16",
        "go on": "training from step 16 to 20",
        "fine-tune": "training from step 0 to 16",
    }
    assert re.search(expected[what], done.stdout)


def test_eval_gives_the_numbers_that_training_printed(in_folder, capsys, tmp_path):
    words = ["eval", "--model_dir", "runs/quickstart", "--step", "16"]
    assert main([*words, "--output_dir", str(tmp_path)]) == 0
    assert table_of(capsys.readouterr().out) == table_of(in_folder)
    told, again = (
        [json.loads(line) for line in (folder / "spelling-000016.jsonl").read_text().splitlines()]
        for folder in (tmp_path, Path("runs/quickstart/eval"))
    )
    for record, other in zip(told, again, strict=True):
        for name in ("score", "prediction_score"):
            assert record.pop(name) == pytest.approx(other.pop(name), abs=1e-3)
        assert record == other


def test_infer_text_and_jsonl_agree_and_keep_order(in_folder, tmp_path, capsys):
    inputs = ["correct: recieve", "", "inflect VBZ: go", "correct: naïve 日本"]
    (tmp_path / "in.txt").write_text("\n".join(inputs) + "\n")
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps({"id": i, "inputs": x}) + "\n" for i, x in enumerate(inputs))
    )
    model = ["infer", "--model_dir", "runs/quickstart", "--max_decode_length", "12"]
    assert main([*model, "--input", str(tmp_path / "in.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    output = tmp_path / "out.jsonl"
    assert main([*model, "--input", str(tmp_path / "in.jsonl"), "--output", str(output)]) == 0
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [r["id"] for r in records] == [0, 1, 2, 3]
    assert [" ".join(r["prediction"].splitlines()) for r in records] == lines


def test_infer_by_beams_by_sampling_and_by_functions_of_ones_own(
    in_folder, tmp_path, capsys, monkeypatch
):
    (tmp_path / "in.jsonl").write_text(
        '{"inputs": "correct: recieve", "id": 1}\n{"inputs": "x", "prefix": "ye", "seed": 3}\n'
    )
    (tmp_path / "rules_of_mine.py").write_text(
        "import gin\n\n"
        "@gin.configurable\n"
        "def endless(logits, history, token=1):\n"
        "    return logits.at[:, token].set(-1e9)\n"
    )
    model = ["infer", "--model_dir=runs/quickstart", f"--input={tmp_path / 'in.jsonl'}"]
    model += ["--max_decode_length=6"]
    monkeypatch.syspath_prepend(tmp_path)

    def infer(*words):
        assert main([*model, *words]) == 0
        output = capsys.readouterr()
        return [json.loads(line) for line in output.out.splitlines()], output.err

    beams, errors = infer("--beams=3", "--num_outputs=2")
    assert [record["id"] for record in beams if "id" in record] == [1]
    for record in beams:
        assert record["predictions"][0] == record["prediction"]
        assert record["scores"] == sorted(record["scores"], reverse=True)
        assert len(record["scores"]) == 2
    assert all(text.startswith("ye") for text in beams[1]["predictions"])
    assert re.search(r"2 records in .* generated tokens/s .* to compile for 1 shapes", errors)
    sampled, errors = infer("--samples=2", "--temperature=3.0", "--seed=1", "--quiet")
    assert len(set(sampled[0]["predictions"])) == 2
    assert errors == ""
    hook = ["--import=rules_of_mine", "--gin.Decoding.processors=(@endless,)"]
    ruled, _ = infer(*hook, "--scores", "--prefix=ab")
    assert ruled[0]["prediction"].startswith("ab")
    assert ruled[1]["prediction"].startswith("ye")
    assert len(ruled[0]["scores"]) == 1


def test_a_task_of_ones_own_trains_from_the_current_folder(tmp_path):
    (tmp_path / "my_task.py").write_text(readme_task())
    assert len(readme_task().splitlines()) <= 15
    words = [*QUICKSTART, "--import=my_task", "--gin.MIXTURE='reverse'"]
    done = t2t(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("reverse", "exact_match") in table_of(done.stdout)
    done = t2t("infer", "--model_dir", "runs/quickstart", input="reverse: abc\n", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1


def readme_task():
    """The example of docs and README, so that it stays true."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    return re.search(r"```python\n(# tasks/reverse.py\n.*?)```", readme, flags=re.DOTALL)[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--gin_file=quikstart.gin"], "Did you mean 'quickstart.gin'"),
        ([*QUICKSTART, "--gin.MIXTURE='spellin'"], "Did you mean 'spelling'"),
        ([*QUICKSTART, "--gin.train.batch_size='many'"], "must be a whole number"),
        ([*QUICKSTART, "--import=nothing_here"], "No module named 'nothing_here'"),
        (["eval", "--model_dir", "runs/quick"], "not the folder of a training run"),
        (["eval", "--model_dir", "runs/quickstart", "--step=3"], "no checkpoint of step 3"),
        (["eval", "--model_dir", "runs/quickstart", "--split=test"], "has a split 'test'"),
        (["infer", "--model_dir", "runs/quickstart", "--input=none.txt"], "Cannot read 'none.txt'"),
        (["infer", "--model_dir", "runs/quickstart", "--max_decode_length=0"], "at least 1"),
        ([*INFER, "--beams=2", "--top_k=3"], "leave one of them out"),
        ([*INFER, "--gin.Beam.sise=2"], "Did you mean 'size'"),
        ([*INFER, "--max_input_length=4"], "Record 1 has inputs of 17 tokens, but"),
        ([*INFER, "--blocked_tokens=ab"], "'ab' is 2 tokens"),
        ([*INFER, "--batch_size=0"], "batch_size must be at least 1"),
        (["inspect", "speling"], "Did you mean 'spelling'"),
        (["inspect", "spelling", "--split=tran"], "Did you mean 'train'"),
        (["eval", "--model_dir", "x", "--gin.train.seed=3"], "take gin bindings"),
    ],
)
def test_user_mistakes_are_one_paragraph_and_status_1(in_folder, words, message, capsys):
    assert main(words) == 1
    errors = capsys.readouterr().err
    assert message in " ".join(errors.split())
    assert "Traceback" not in errors
    assert "t2t: error:" in errors


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "--steps_in_all", "3"], "--steps_in_all 3. See `t2t train --help`"),
        (["trian"], "Did you mean 'train'"),
        (["train", "--gin_fil=x"], "Did you mean '--gin_file'"),
        (["embed", "--model_dir=x", "--pooling=men"], "Did you mean 'mean'"),
        (["infer", "--modeldir=x"], "--model_dir"),
        (["infer", "--model_dir=x", "--allowed_tokens"], "least one argument. See `t2t infer"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_words_are_status_2_with_a_hint(words, hint, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "train", "eval", "infer", "inspect", "cache"])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert "usage: t2t" in capsys.readouterr().out


def test_bad_lines_are_named(in_folder, tmp_path, capsys):
    model = ["infer", "--model_dir", "runs/quickstart", "--max_decode_length", "2"]
    path = tmp_path / "bad"
    for content, message in [
        (b"fine\n\xff\xfe\n", "line 2 is not UTF-8"),
        (b'{"inputs": "a"}\n{"inputs": \n', "line 2 is not JSON"),
        (b'{"inputs": "a"}\n{"targets": "b"}\n', "line 2 has no string 'inputs'"),
    ]:
        path.write_bytes(content)
        output = tmp_path / "out"
        assert main([*model, "--input", str(path), "--output", str(output)]) == 1
        assert message in " ".join(capsys.readouterr().err.split())
        assert not output.exists()


def test_inspect_shows_every_stage(capsys):
    lengths = ["--inputs_length=64", "--targets_length=32", "--count=1"]
    assert main(["inspect", "quickstart", *lengths]) == 0
    output = capsys.readouterr().out
    assert "raw     wrong:" in output
    assert "text    inputs: 'correct: " in output
    assert re.search(r"inputs read back: '.*<extra_id_0>.*</s>'", output)
    assert re.search(r"targets read back: '<extra_id_0>", output)
    assert main(["inspect"]) == 0
    assert re.search(r"mixture +quickstart +\(.*quickstart.py:\d+\)", capsys.readouterr().out)
