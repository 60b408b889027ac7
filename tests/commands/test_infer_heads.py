"""A run with a head: `t2t train`, `t2t infer`, `t2t eval` and Python say the same."""

import json
import re
import shutil

import pytest

from t2t.cli import main
from t2t.data.registry import TaskRegistry
from t2t.trained import load_trained
from tests.training.labelled import ANSWERED, TASKS

GIN = """
train.model_dir = 'run'
train.mixture = 'toy_spans'
train.sequence_length = {'inputs': 64, 'targets': 1}
train.model = @EncoderOnly()
train.loss = @SpanExtraction()
train.optimizer = @adamw()
train.batch_size = 8
train.total_steps = 2
adamw.learning_rate = @constant_schedule()
constant_schedule.peak = 1e-3
EncoderOnly.vocab_size = 384
EncoderOnly.encoder = @Stack()
EncoderOnly.heads = (@Spans(),)
Stack.num_layers = 1
Stack.d_model = 8
Stack.attention = @Attention()
Stack.feed_forward = @FeedForward()
Attention.num_heads = 2
Attention.head_dim = 4
FeedForward.d_ff = 12
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Its folder; the task stays registered meanwhile."""
    task, folder = TASKS["spans"], tmp_path_factory.mktemp("heads")
    TaskRegistry.add(
        task.name,
        source=task.source,
        output_features=task.output_features,
        metric_fns=task.metric_fns,
    )
    (folder / "run.gin").write_text(GIN)
    words = [f"--gin_file={folder / 'run.gin'}", f"--gin.train.model_dir='{folder / 'run'}'"]
    assert main(["train", *words]) == 0
    yield folder / "run"
    TaskRegistry.remove(task.name)


def infer(run, lines, *flags):
    source = run.parent / "in.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    target = run.parent / "out.jsonl"
    words = [f"--model_dir={run}", f"--input={source}", f"--output={target}", *flags]
    status = main(["infer", *words])
    return status, [json.loads(line) for line in target.read_text().splitlines()]


def test_everyone_says_the_same(run, capsys):
    asked = [{"inputs": e["inputs"], "pair": e["pair"], "id": i} for i, e in enumerate(ANSWERED)]
    status, lines = infer(run, asked, "--scores", "--batch_size=4")
    assert status == 0
    assert [{k: line[k] for k in ("inputs", "pair", "id")} for line in lines] == asked
    assert re.search(
        r"6 records in .* records/s \(besides .* to compile for 1 shapes\)", capsys.readouterr().err
    )
    (written,) = (run / "eval").glob("toy_spans-*.jsonl")
    evaluated = [json.loads(line)["prediction"] for line in written.read_text().splitlines()]
    assert [line["prediction"] for line in lines] == evaluated
    predicted = load_trained(str(run)).head_predictor().predict(asked)
    for line, (prediction,) in zip(lines, predicted, strict=True):
        assert line["prediction"] == prediction.text
        assert line["scores"] == [pytest.approx(prediction.score, abs=1e-5)]
    result = load_trained(str(run)).evaluate()["toy_spans"]
    assert [p["prediction"] for p in result.predictions] == evaluated


def test_truncate_cuts_as_in_training(run):
    short = {"inputs": "Ann?", "pair": "Ann saw Bob"}
    long = {**short, "pair": "Ann saw Bob " + "x" * 61}  # the last word has no room
    _, (whole, cut) = infer(run, [short, long], "--scores", "--truncate")
    for name in ("prediction", "scores"):
        assert cut[name] == pytest.approx(whole[name], abs=1e-5)


@pytest.mark.parametrize(
    ("lines", "flags", "message"),
    [
        ([{"inputs": "Ann?"}], (), "Record 1 has no 'pair': this head reads"),
        ([{"inputs": "a", "pair": "b"}], ("--beams=2",), "classifies and generates no text"),
        ([{"inputs": "a", "pair": "b"}], ("--prefix=x",), "classifies and generates no text"),
        (
            [{"inputs": "a", "pair": "b"}],
            ("--max_input_length=4",),
            "5 tokens, but max_input_length",
        ),
        (
            [{"inputs": "a", "pair": "b"}],
            ("--max_input_length=4", "--truncate"),
            "'inputs'] is 4, which leaves",
        ),
        (
            [{"inputs": "a", "pair": "b" * 61}],
            (),
            "Record 1 has inputs of 65 tokens, but those of training had 64 at most (see "
            "--max_input_length). Shorten them, or cut what is too long with --truncate",
        ),
    ],
)
def test_bad_input(run, lines, flags, message, capsys):
    source = run.parent / "bad.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["infer", f"--model_dir={run}", f"--input={source}", *flags]) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_model_without_labels_has_no_head_predictor(run):
    from t2t.errors import UserError
    from t2t.training.losses.language_modeling import Loss

    trained = load_trained(str(run))
    trained.arguments["loss"] = Loss()
    with pytest.raises(UserError, match="was not trained to classify: its loss is Loss"):
        trained.head_predictor()


def test_a_run_with_cudnn_is_used_where_it_is_missing(run, tmp_path, caplog):
    copy = shutil.copytree(run, tmp_path / "run")
    with (copy / "config.gin").open("a") as file:
        file.write("\nEncoderOnly.compute = @Compute()\nCompute.attention = 'cudnn'\n")
    predictor = load_trained(str(copy)).head_predictor()
    assert [m for m in caplog.messages if "cudnn" in m]
    asked = [{"inputs": e["inputs"], "pair": e["pair"]} for e in ANSWERED[:2]]
    expected = load_trained(str(run)).head_predictor().predict(asked)
    assert list(predictor.predict(asked)) == list(expected)
