import json

from t2t.reporting.run_report.predictions import PredictionReader, Said, interesting
from tests.reporting.run_report.made_runs import SCRIPT, make_run


def test_the_same_examples_at_successive_steps(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "eval" / "notes.txt").write_text("no predictions")
    (run / "eval" / "scored-000100.jsonl").write_text('{"score": -1.0}\n')
    found = PredictionReader(run / "eval").read()
    assert set(found) == {"spanish"}
    assert found["spanish"].steps == [100, 200, 300, 400]
    rights = {
        key[1]: [said.right for said in by_step]
        for key, by_step in found["spanish"].examples.items()
    }
    assert rights == {
        "uno": [True] * 4,
        "dos": [False, False, True, True],
        "tres": [False, True, False, False],
        "cuatro": [False] * 4,
    }
    assert found["spanish"].examples[f"es: {SCRIPT}", "uno"][0] == Said("uno", True)


def test_only_examples_that_all_steps_have_and_no_more_than_a_dozen_steps(tmp_path):
    folder = tmp_path / "eval"
    folder.mkdir()
    for step in range(30):
        names = ["a", f"only{step}"]
        lines = [json.dumps({"inputs": n, "targets": n, "prediction": n}) + "\n" for n in names]
        (folder / f"a-b-{step:06d}.jsonl").write_text("".join(lines) + '{"inputs": "half')
    found = PredictionReader(folder).read()["a-b"]
    assert len(found.steps) == 12
    assert (found.steps[0], found.steps[-1]) == (0, 29)
    assert list(found.examples) == [("a", "a")]


def test_right_by_value_and_by_one_of_several_targets(tmp_path):
    records = [
        {"prediction": "entailment ", "targets": "entailment"},
        {"prediction": "It is", "targets": "0", "prediction_value": 0, "target_value": 0},
        {"prediction": "UK", "targets": "Britain", "prediction_value": "uk",
         "target_value": ["britain", "uk"]},
        {"prediction": "France", "targets": "Britain", "prediction_value": "france",
         "target_value": ["britain", "uk"]},
    ]  # fmt: skip
    numbered = [{"inputs": str(i), **record} for i, record in enumerate(records)]
    (tmp_path / "t-1.jsonl").write_text("".join(json.dumps(r) + "\n" for r in numbered))
    (said,) = [PredictionReader(tmp_path).read()["t"].examples]
    assert [by_step[0].right for by_step in said.values()] == [True, True, True, False]


def test_examples_to_show_are_of_several_kinds():
    right, wrong = Said("x", True), Said("y", False)
    kinds = {
        "learnt": [wrong, right],
        "lost": [right, wrong],
        "known": [right, right],
        "never": [wrong, wrong],
    }
    said = {(f"{kind}{i}", ""): [steps] for kind, steps in kinds.items() for i in range(3)}
    assert [key[0] for key in interesting(said, 5)] == [
        "learnt0", "lost0", "known0", "never0", "learnt1",
    ]  # fmt: skip
    said["disputed", ""] = [[right], [wrong]]
    assert interesting(said, 1) == [("disputed", "")]
    assert len(interesting(said, 100)) == 13
