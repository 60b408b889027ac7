"""The study: equal compute, resumable results, a table with the right mean and spread."""

import json
from pathlib import Path

import pytest

from t2t import config
from t2t.errors import UserError
from t2t.training.interruption import Stopped
from t2t.training.loop import train

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "study"
BUDGET = {"pretraining": 5e12, "fine_tuning": 5e12, "scale": 1.0}


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
    lines = tool.table(rows, tool.Budget(5e12, 5e12, 1.0)).splitlines()
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
        ("bert", 0, True),
        ("gpt", 0, False),  # interrupted
        ("gpt", 0, False),
        ("bert", 0, False),
    ]
    lines = (tmp_path / "study" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["system"] for line in lines] == ["gpt", "bert", "gpt", "bert"]
    assert "| bert | 1,000,000 |" in capsys.readouterr().out
    assert tool.main([*command, "--steps_scale", "0.5"]) == 0  # another budget: all anew
    assert len(ran) == 9


def test_a_run_from_scratch_says_what_was_run(tool, tmp_path, monkeypatch):
    """Its folder's configuration gives the same arguments again, without another run's folder."""
    called = {}

    def train(config_text, **given):
        called.update(given, config_text=config_text)
        return {}

    monkeypatch.setattr(tool, "train", train)
    stage = tool.plan("systems/finetune_gpt_prompt.gin", 5e12, 0.01)
    stage.run(tmp_path / "scratch", 3, from_scratch=True)
    (tmp_path / "config.gin").write_text(called.pop("config_text"))
    assert called["init_from"] is None
    config.load([str(tmp_path / "config.gin")])
    again = config.arguments_of(train)
    assert again.pop("optimizer").learning_rate(2) == called.pop("optimizer").learning_rate(2)
    assert {name: again[name] for name in called} == called
    assert (again["model_dir"], again["seed"]) == (str(tmp_path / "scratch"), 3)

    stage.run(tmp_path / "tuned", 3)
    assert called["init_from"].sources[0].model_dir == "runs/gpt_tiny"


def test_a_run_never_goes_on_from_that_of_another_budget(tool, tmp_path, monkeypatch):
    folders = []

    def run(stage, model_dir, seed, from_scratch=False):
        folders.append(model_dir)
        model_dir.mkdir(parents=True, exist_ok=True)
        return {"task": {"loss": 2.0, "accuracy": 60.0}}

    monkeypatch.setattr(tool.Stage, "run", run)
    small, large = tool.Budget(2e13, 5e12, 0.01), tool.Budget(2e13, 5e12, 0.02)
    rows = [tool.one_run(tmp_path, "gpt", 0, True, budget) for budget in (small, large, small)]
    assert len(set(folders)) == 4
    assert [row["seconds"] is None for row in rows] == [False, False, True]  # the last went on


def test_a_line_that_another_process_has_begun_is_not_read(tool, tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text('{"system": "gpt"}\n{"syst')
    assert tool.read(path) == [{"system": "gpt"}]


def test_a_signal_is_one_line(tool, tmp_path, monkeypatch, capsys):
    def one_run(*_):
        raise Stopped(15, 3, 9)

    monkeypatch.setattr(tool, "one_run", one_run)
    assert tool.main(["--output", str(tmp_path / "study"), "--systems", "gpt"]) == 143
    assert "SIGTERM after step 3; run the same command" in capsys.readouterr().err


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
