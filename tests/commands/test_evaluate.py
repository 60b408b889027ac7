"""`t2t eval` and `t2t compare` of one small run."""

import json
import shutil

import jax
import pytest

from t2t.cli import main
from t2t.evaluation.result_files import read_results, write_results
from t2t.evaluation.results import TaskResult
from tests.commands.imported import make

TASKS = """
import t2t
from t2t.evaluation.metrics import exact_match, bleu
text = t2t.Feature(t2t.ByteVocabulary())
words = [{"w": f"w{7919 * n}"} for n in range(40)]
splits = {"train": words, "validation": words[:9], "test": [{"w": ""}] * 3}
t2t.TaskRegistry.add("echoes", source=t2t.InMemoryDataSource(splits),
    preprocessors=[t2t.text_to_text("say {w}", "{w}")],
    output_features={"inputs": text, "targets": text}, metric_fns=[exact_match, bleu])
pieces = t2t.Feature(t2t.ByteVocabulary(extra_ids=7))
t2t.TaskRegistry.add("others", source=t2t.InMemoryDataSource(splits),
    preprocessors=[t2t.text_to_text("say {w}", "{w}")],
    output_features={"inputs": pieces, "targets": pieces}, metric_fns=[exact_match])
"""
LETTERS = """
import t2t
from t2t.data.vocabularies import PartialCodepointVocabulary
letters = t2t.Feature(PartialCodepointVocabulary(map(ord, "asyit? ")))
t2t.TaskRegistry.add("letters", source=t2t.InMemoryDataSource({"validation": [{"w": "a"}]}),
    preprocessors=[t2t.text_to_text("say {w}", "{w}")],
    output_features={"inputs": letters, "targets": letters}, metric_fns=[t2t.exact_match])
"""
FLAGS = (
    *("--gin_file=quickstart.gin", "--import=echoing", "--gin.MIXTURE='echoes'"),
    *("--gin.MODEL_DIR='run'", "--gin.TRAIN_STEPS=6", "--gin.train.batch_size=8"),
    *("--gin.D_MODEL=16", "--gin.D_FF=16", "--gin.HEAD_DIM=8", "--gin.NUM_HEADS=2"),
    *("--gin.NUM_ENCODER_LAYERS=1", "--gin.NUM_DECODER_LAYERS=1"),
    *("--gin.cosine_schedule.warmup_steps=2", "--gin.EvalPolicy.batch_size=8"),
    *("--gin.CheckpointPolicy.every=2", "--gin.CheckpointPolicy.keep_latest=9"),
    *("--gin.EvalPolicy.every=4", "--gin.EvalPolicy.max_decode_length=4"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of the steps 2, 4 and 6, of which training evaluated 4 and 6."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "echoing.py").write_text(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
        assert main(["train", *FLAGS]) == 0
        yield folder


@pytest.fixture
def t2t(trained, capsys):
    """Runs a command in that folder; what it printed, after asserting its exit status."""
    del trained

    def run(*words, status=0):
        capsys.readouterr()
        assert main(list(words)) == status
        captured = capsys.readouterr()
        return " ".join((captured.out + captured.err).split())

    return run


EVAL = ("eval", "--model_dir=run")


def test_training_writes_what_eval_writes(trained, t2t):
    t2t(*EVAL, "--output_dir=again", "--step=4")
    (found,) = read_results(trained / "again")
    in_training = next(x for x in read_results(trained / "run/eval") if x.step == 4)
    assert in_training.settings.items() <= found.settings.items()
    assert found.settings["run"]["folder"] == str(trained / "run")
    result, before = (x.results["echoes"] for x in (found, in_training))
    assert result.metrics == pytest.approx(before.metrics)
    assert result.baselines == before.baselines
    first, *_ = records = found.records("echoes")
    assert [r["prediction"] for r in records] == [
        r["prediction"] for r in in_training.records("echoes")
    ]
    assert [record["number"] for record in records] == list(range(9))
    assert {"inputs": "say w0", "targets": "w0"}.items() <= first.items()
    assert {"prediction", "prediction_score", "score", "tokens", "correct"} <= first.keys()
    assert first["metrics"] == {"exact_match": float(first["prediction"] == "w0")}
    assert set(result.intervals) == {"loss", "token_accuracy", "exact_match", "bleu"}
    loss = -sum(r["score"] for r in records) / sum(r["tokens"] for r in records)
    assert result.metrics["loss"] == pytest.approx(loss, rel=1e-5)


def test_all_checkpoints_but_those_evaluated_alike(trained, t2t):
    before = (trained / "run/eval/results-000004.json").stat().st_mtime_ns
    printed = t2t(*EVAL, "--all", "--output_dir=run/eval")
    assert [f"step {step}:" in printed for step in (2, 4, 6)] == [True] * 3
    assert "Results of 'run' by step: echoes" in printed
    assert [x.step for x in read_results(trained / "run/eval")] == [2, 4, 6]
    assert (trained / "run/eval/results-000004.json").stat().st_mtime_ns == before


def test_watching_ends_with_the_last_step_and_survives_lost_checkpoints(trained, t2t, caplog):
    shutil.copytree(trained / "run", trained / "watched")
    (trained / "watched/checkpoints/2/manifest.json").unlink(missing_ok=True)
    for path in (trained / "watched/checkpoints/4").rglob("*"):
        if path.is_file() and path.stat().st_size > 200:
            path.write_bytes(path.read_bytes()[:-9])
    printed = t2t("eval", "--model_dir=watched", "--watch=0.1", "--output_dir=seen")
    assert "step 6:" in printed
    for step in (2, 4):
        assert f"step {step} is left out: The checkpoint of step {step} is damaged" in caplog.text


def test_the_best_by_what_training_logged(trained, t2t):
    logged = [json.loads(line) for line in (trained / "run/metrics.jsonl").read_text().splitlines()]
    losses = {x["step"]: x["eval/loss"] for x in logged if "eval/loss" in x}
    best = min(losses, key=losses.get)
    assert f"Results of step {best} of 'run'" in t2t(*EVAL, "--best", "--num_examples=1")
    by_name = t2t(*EVAL, "--best", "--metric=echoes/token_accuracy", "--num_examples=1")
    name = "eval/echoes/token_accuracy"
    accuracies = {x["step"]: x[name] for x in logged if name in x}
    highest = max(accuracies.values())
    assert f"Results of step {max(s for s in accuracies if accuracies[s] == highest)}" in by_name


def test_a_test_set_without_labels_has_predictions_but_no_metrics(trained, t2t, caplog):
    assert "echoes (3 examples) │ no targets" in t2t(
        *EVAL, "--split=test", "--output_dir=unlabelled"
    )
    assert "no example of the split 'test' has a target, so there are no metrics" in caplog.text
    (found,) = read_results(trained / "unlabelled")
    assert found.results["echoes"].metrics == {}
    records = found.records("echoes")
    assert len(records) == 3
    assert all("prediction" in r and "targets" not in r and "score" not in r for r in records)


def test_two_checkpoints_are_compared(trained, t2t):
    printed = t2t("compare", "run", "run", "--step_a=4", "--output=found.json")
    assert "A: run @4 B: run @6" in printed
    (found,) = json.loads((trained / "found.json").read_text())
    metrics = {difference["metric"]: difference for difference in found["tasks"]["echoes"]}
    assert set(metrics) == {"loss", "token_accuracy", "exact_match", "bleu"}
    stored = {x.step: x.results["echoes"].metrics for x in read_results(trained / "run/eval")}
    for name, difference in metrics.items():
        assert difference["first"] == pytest.approx(stored[4][name], rel=1e-5)
        assert difference["second"] == pytest.approx(stored[6][name], rel=1e-5)


def test_losses_of_other_examples_are_not_compared(trained, t2t):
    result = TaskResult(1, {"loss": 1.0}, {}, ({"number": 0, "score": -2.0, "tokens": 2},))
    for split in ("validation", "test"):
        settings = {"mixture": "spans", "split": split}
        (trained / f"of-{split}").mkdir()
        write_results({"spans": result}, trained / f"of-{split}", 1, settings)
    message = t2t("compare", "of-validation", "of-test", status=1)
    assert "was evaluated on other examples: split is validation and test" in message


def test_other_examples_are_not_compared(t2t):
    t2t(*EVAL, "--num_examples=4", "--output_dir=few")
    message = t2t("compare", "run", "few", status=1)
    assert (
        "Task 'echoes' was evaluated on other examples: 9 examples and 4. Evaluate both" in message
    )
    assert "`t2t eval --model_dir few --mixture echoes --split validation --num_examples" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            (*EVAL, "--output_dir=echoing.py/x"),
            "cannot be written to the folder 'echoing.py/x': Not",
        ),
        ((*EVAL, "--all", "--best"), "--best and --all exclude each other"),
        ((*EVAL, "--watch=0"), "--watch must be above 0 seconds, got 0"),
        ((*EVAL, "--metric=loss"), "--metric tells what --best goes by; add --best"),
        ((*EVAL, "--best", "--metric=echoes/los"), "Did you mean 'echoes/loss'"),
        ((*EVAL, "--submission=glue"), "--submission writes local files: say where, with"),
        ((*EVAL, "--submission=glue", "--output_dir=x", "--split=test"), "leave out --split"),
        ((*EVAL, "--mixture=others"), "written by another model: vocabularies.inputs"),
        (("compare", "run", "nothing"), "There is no folder 'nothing'"),
        (("compare", "run", "run/checkpoints"), "`t2t eval --model_dir run/checkpoints"),
        (("compare", "run", "run", "--step_b=5"), "no results of step 5; it has those of"),
        (("compare", "run", "run", "--samples=1"), "--samples must be at least 100"),
    ],
    ids=lambda x: x if isinstance(x, str) else " ".join(x[1:]),
)
def test_mistakes(words, message, t2t):
    assert message in t2t(*words, status=1)


def test_an_imported_model_and_tasks_of_another_vocabulary(trained, t2t, tmp_path):
    folder = make("t5", tmp_path)
    (trained / "lettering.py").write_text(LETTERS)
    flags = ("--mixture=letters", "--import=lettering")
    message = t2t("eval", "--model_dir", folder, *flags, status=1)
    assert "The tasks of 'letters' have another vocabulary than this imported model" in message
    assert "'is it?' they make the tokens" in message
    short = ("--inputs_length=8", "--targets_length=2", "--num_examples=1")
    assert "Results of step 0" in t2t("eval", "--model_dir", folder, "--mixture=echoes", *short)


def test_a_number_of_examples(t2t, capsys):
    with pytest.raises(SystemExit):
        t2t(*EVAL, "--num_examples=none")
    assert "must be 1 or more, or 'all', got 'none'" in capsys.readouterr().err


def test_training_refuses_an_unwritable_folder_before_it_evaluates(trained, t2t):
    (trained / "blocked").mkdir()
    (trained / "blocked/eval").write_text("")
    message = t2t("train", *FLAGS, "--gin.MODEL_DIR='blocked'", status=1)
    assert "Results cannot be written to the folder 'blocked/eval': File exists" in message
    assert not (trained / "blocked/metrics.jsonl").exists()
