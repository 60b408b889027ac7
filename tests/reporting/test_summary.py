import json
import shlex

from t2t.evaluation.confidence import Interval
from t2t.evaluation.results import TaskResult
from t2t.reporting.progress import Progress
from t2t.reporting.summary import print_next_commands, print_predictions, print_results

RESULTS = {
    "decoded": TaskResult(
        num_examples=1000,
        metrics={"loss": 0.5, "exact_match": 0.25},
        baselines={"unigram_loss": 2.5, "exact_match": 0.1},
        records=tuple(
            {"inputs": f"in [{i}]", "targets": f"t{i}", "prediction": f"t{i % 7}"}
            for i in range(100)
        ),
        intervals={"exact_match": Interval(0.2236, 0.2778)},
    ),
    "scored": TaskResult(10, {"loss": 1.5}, {}, ()),
}


def test_results_stand_beside_their_baselines(capsys):
    print_results(RESULTS, title="Results")
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
        if "│" in line
    ]
    assert rows == [
        ["decoded (1,000 examples)", "", "", ""],
        ["loss", "0.500", "", "unigram 2.500"],
        ["exact_match", "0.250", "[0.224, 0.278]", "0.100"],
        ["scored (10 examples)", "", "", ""],
        ["loss", "1.500", "", ""],
    ]


WIDE = TaskResult(1, {"Q" * 80: 2.0}, {}, (), {"Q" * 80: Interval(-1234.5, 1234.5)})


def test_numbers_are_not_wrapped_and_on_a_narrow_terminal_not_cut(capsys, monkeypatch):
    print_results({"long": WIDE}, title="Results")
    assert f"{'Q' * 80} │ 2.000 │ [-1234.500, 1234.500]" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    print_results({"long": WIDE}, title="Results")
    output = capsys.readouterr().out
    assert "…" not in output
    assert output.count("Q") == 80
    assert "-1234.500" in output


def test_an_answer_that_a_metric_accepts_is_right(capsys):
    aliases = {"inputs": "who", "targets": "Ann", "prediction": "Annie", "metrics": {"em": 100.0}}
    print_predictions({"qa": TaskResult(1, {}, {}, (aliases,))})
    assert " ok " in capsys.readouterr().out


def test_predictions_are_spread_over_the_set_and_judged(capsys):
    print_predictions(RESULTS)
    output = capsys.readouterr().out
    assert output.count("in [") == 10
    assert "in [5]" in output
    assert "in [95]" in output
    assert output.count(" ok ") == 1  # only number 5 is below 7
    assert output.count(" wrong ") == 9


def test_nothing_is_printed_without_predictions(capsys):
    print_predictions({"scored": RESULTS["scored"]})
    assert capsys.readouterr().out == ""


def test_commands_are_quoted_for_the_shell(capsys):
    longer = "--gin.TRAIN_STEPS=9"
    print_next_commands("my runs/x", RESULTS, ["quickstart.gin"], longer, generates=True)
    output = capsys.readouterr().out
    assert "echo 'in [50]' | t2t infer --model_dir 'my runs/x'" in output
    assert "t2t train --gin_file='my runs/x/config.gin' --gin.TRAIN_STEPS=9" in output


def test_what_cannot_generate_is_not_offered_to_infer(capsys):
    print_next_commands("x", RESULTS, ["a.gin"], "--gin.TRAIN_STEPS=9", generates=False)
    output = capsys.readouterr().out
    assert "t2t infer" not in output
    assert "t2t eval" in output


def test_progress_without_a_terminal_is_plain_lines(capsys):
    values = {
        "train/loss": 1.0,
        "train/a/loss": 2.0,
        "train/a/target_tokens": 5.0,
        "perf/tokens_per_second": 1234.0,
        "perf/step_time": 0.25,
        "perf/step_seconds": 9.0,
        "perf/data_seconds": 0.01,
        "perf/checkpoint_seconds": 1.0,
        "perf/mfu": 0.425,
        "perf/memory_bytes": 2.0**30,
        "perf/goodput": 0.9,
        "guard/skipped": 3.0,
    }
    with Progress(10, 20) as progress:
        progress.update(15, values)
        progress.show_evaluation(15, RESULTS)
    output = capsys.readouterr().out
    assert "training from step 10 to 20" in output
    assert (
        "step 15/20  loss: a 2.000  1,234 tokens/s  0.25 s/step (checkpoint 10%)  MFU 42.5%  1 GiB"
        "  goodput 90%  3 skipped  left 0:00:00"
    ) in output
    assert "eval at step 15: decoded: loss 0.500  exact_match 0.250" in output
    with Progress(0, 20, enabled=False) as silent:
        silent.update(15, values)
    assert capsys.readouterr().out == ""


def test_what_was_consumed_stands_beside_what_was_asked_for(capsys):
    consumed = {"a": {"examples": 30, "tokens": 1000}, "b": {"examples": 10, "tokens": 3000}}
    Progress(0, 10).show_consumption({"a": 0.75, "b": 0.25}, consumed)
    assert capsys.readouterr().out.splitlines() == [
        "  data: a: 30 examples, 75.0% of all (rate 75.0%); 1,000 tokens, 25.0%",
        "  data: b: 10 examples, 25.0% of all (rate 25.0%); 3,000 tokens, 75.0%",
    ]


def test_a_pair_is_asked_for_as_json(capsys):
    predictions = ({"inputs": "a 'b'", "pair": "c", "targets": "same", "prediction": "same"},)
    results = {"pairs": TaskResult(1, {}, {}, predictions)}
    print_next_commands("x", results, [], "--gin.TRAIN_STEPS=9", generates=True)
    command = next(line for line in capsys.readouterr().out.splitlines() if "t2t infer" in line)
    words = shlex.split(command.split("echo ")[1])
    assert json.loads(words[0]) == {"inputs": "a 'b'", "pair": "c"}
