"""The study: equal compute, resumable results, a table with the right mean and spread."""

import json
from pathlib import Path

import pytest

from t2t import config
from t2t.errors import UserError
from t2t.training.loop import train

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "study"
BUDGET = {"pretraining": 2e13, "fine_tuning": 5e12, "scale": 1.0}


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import compare_systems

    return compare_systems


def row(system, seed, accuracy, pretrained=True, **changes):
    return {
        "system": system,
        "seed": seed,
        "pretrained": pretrained,
        "accuracy": accuracy,
        "parameters": 1_000_000,
        "fine_tuning_steps": 90,
        **({"pretraining_steps": 1200, "pretraining_loss": 4.0} if pretrained else {}),
        **BUDGET,
        **changes,
    }


def test_every_system_of_gin_has_a_file_to_fine_tune_with(tool):
    systems = {path.stem for path in (FOLDER.parents[1] / "gin" / "systems").glob("*_tiny.gin")}
    assert {f"{name}_tiny" for name in tool.FINE_TUNING} == systems


@pytest.mark.parametrize("system", ["bert", "electra", "glm", "gpt", "t5"])
def test_all_have_the_same_compute(tool, system):
    for file, budget in (
        (f"systems/{system}_tiny.gin", 2e13),
        (f"systems/finetune_{system}_{tool.FINE_TUNING[system]}.gin", 5e12),
    ):
        stage = tool.plan(file, budget, 1.0)
        assert stage.flops == pytest.approx(budget, rel=0.01)
        small = tool.plan(file, budget, 0.01)
        assert small.steps == pytest.approx(stage.steps / 100, abs=1)
        config.load([file], small.bindings)
        given = config.arguments_of(train)
        assert given["total_steps"] == small.steps
        assert given["evaluation"].every == small.steps
        assert given["checkpoint"].keep_latest == 1


def test_a_sequence_of_glm_and_of_gpt_are_charged_alike(tool):
    files = ("systems/glm_tiny.gin", "systems/gpt_tiny.gin")
    glm, gpt = (tool.plan(file, 2e13, 1.0).steps for file in files)
    assert glm == pytest.approx(gpt, rel=0.01)


def test_a_budget_below_a_step_is_refused(tool):
    with pytest.raises(UserError, match=r"A step of systems/gpt_tiny.gin takes .* more than 10"):
        tool.plan("systems/gpt_tiny.gin", 10, 1.0)


def test_the_table_has_mean_and_spread_best_first(tool):
    rows = [
        *(row("gpt", seed, accuracy) for seed, accuracy in enumerate((70.0, 72.0, 74.0))),
        row("gpt", 0, 60.0, pretrained=False),
        row("bert", 0, 80.0),
        row("bert", 0, 10.0, scale=0.1),  # of another budget
        row("t5", 0, 50.0, pretrained=False),  # not pretrained yet
    ]
    lines = tool.table(rows, tool.Budget(2e13, 5e12, 1.0)).splitlines()
    assert lines[2:] == [
        "| bert | 1,000,000 | 1,200 + 90 | 80.0 |  | 1 |",
        "| gpt | 1,000,000 | 1,200 + 90 | 72.0 ± 2.0 (70.0 to 74.0) | 60.0 | 3 |",
    ]


def test_finished_runs_are_not_repeated(tool, tmp_path, monkeypatch, capsys):
    ran = []

    def one_run(output, system, seed, pretrained, budget):
        ran.append((system, seed, pretrained))
        if len(ran) == 3:
            raise KeyboardInterrupt
        return {
            name: value
            for name, value in row(system, seed, 50.0, pretrained).items()
            if name not in ("system", "seed", "pretrained")
        }

    monkeypatch.setattr(tool, "one_run", one_run)
    command = ["--output", str(tmp_path / "study"), "--systems", "gpt", "bert", "--seeds", "0"]
    with pytest.raises(KeyboardInterrupt):
        tool.main(command)
    assert tool.main(command) == 0
    assert ran == [
        ("gpt", 0, True),
        ("gpt", 0, False),
        ("bert", 0, True),  # interrupted
        ("bert", 0, True),
        ("bert", 0, False),
    ]
    lines = (tmp_path / "study" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["system"] for line in lines] == ["gpt", "gpt", "bert", "bert"]
    assert "| bert | 1,000,000 |" in capsys.readouterr().out
    assert tool.main([*command, "--steps_scale", "0.5"]) == 0  # another budget: all anew
    assert len(ran) == 9


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--systems", "electr"], "there is no 'electr'. Did you mean 'electra'?"),
        (["--steps_scale", "0"], "scale must be above 0, got 0.0"),
        (["--fine_tuning_flops", "-1"], "fine_tuning must be above 0, got -1.0"),
    ],
)
def test_mistakes_are_one_line(tool, tmp_path, capsys, flags, message):
    assert tool.main(["--output", str(tmp_path / "study"), *flags]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "study").exists()
