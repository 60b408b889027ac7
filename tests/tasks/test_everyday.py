"""The mixture `everyday` and its gin file, from tiny archives to the table at the end."""

import jax
import pytest

from t2t import config
from t2t.data.mixtures import Mixture
from t2t.data.registry import get_mixture_or_task
from t2t.models.definition import Model
from t2t.paths import shipped
from t2t.reporting.summary import print_results
from t2t.training import loop, preparation
from tests.tasks.package_tasks import everyday_tasks, read_anew

SMALL = {
    "D_MODEL": 16,
    "D_FF": 16,
    "NUM_HEADS": 1,
    "HEAD_DIM": 16,
    "NUM_ENCODER_LAYERS": 1,
    "NUM_DECODER_LAYERS": 1,
    "TRAIN_STEPS": 2,
    "train.batch_size": 8,
    "train.sequence_length": {"inputs": 128, "targets": 64},
    "EvalPolicy.num_examples": 8,
    "EvalPolicy.batch_size": 8,
    "EvalPolicy.max_decode_length": 4,
    "cosine_schedule.warmup_steps": 1,
}


def arguments(**bindings):
    file = "runs/everyday_cpu.gin"
    config.load([file], [f"{name} = {value!r}" for name, value in bindings.items()])
    return config.arguments_of(loop.train)


@pytest.fixture
def anew(monkeypatch):
    """Training reads every task anew."""

    def found(name):
        mixture = get_mixture_or_task(name)
        return Mixture(name, [(read_anew(task), rate) for task, rate in mixture.parts])

    monkeypatch.setattr(preparation, "get_mixture_or_task", found)


@pytest.mark.usefixtures("folder", "anew")
def test_one_step_and_a_table_with_every_task_beside_its_baseline(tmp_path, capsys):
    given = arguments(**SMALL, MODEL_DIR=str(tmp_path / "run"))
    results = loop.train(**given)
    tasks = everyday_tasks()
    assert list(results) == [task.name for task in tasks]
    for task in tasks:
        result = results[task.name]
        own = {name for name in result.metrics if name not in ("loss", "token_accuracy")}
        assert bool(own) == bool(task.metric_fns)
        assert own | {"unigram_loss"} == set(result.baselines)
    assert results["spelling"].baselines["exact_match"] == 0.0
    assert results["reuters_bytes"].baselines["accuracy"] >= 0.0
    print_results(results, title="everyday")
    shown = capsys.readouterr().out
    assert all(task.name in shown for task in tasks)
    assert "phoneme_error_rate" in shown


def test_the_file_states_its_size():
    shapes = jax.tree.leaves(Model(arguments()["model"]).abstract_params)
    text = (shipped("gin") / "runs" / "everyday_cpu.gin").read_text(encoding="utf-8")
    assert f"{sum(shape.size for shape in shapes):,} parameters" in text


def test_the_page_has_every_task_and_its_packages():
    page = (shipped("gin").parent / "docs" / "everyday.md").read_text(encoding="utf-8")
    for task in everyday_tasks():
        for title in ("The tasks", "Baselines", "Results"):
            section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
            assert f"\n| `{task.name}` |" in section, title
        for archive in task.source.archives:
            if archive.fetch.startswith("pip "):
                assert archive.fetch.split()[-1].replace("==", " ") in page
