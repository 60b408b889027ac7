"""`t2t import` and `t2t export`, and that what they make is used as any run's folder."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t import config, conversion
from t2t.cli import main
from t2t.data.features import Feature
from t2t.data.registry import TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.vocabularies import ByteVocabulary, PassThroughVocabulary
from t2t.decoding.decoding import Decoding
from t2t.decoding.processors.allowed import BlockedTokens
from t2t.decoding.processors.forced import ForcedFirst
from t2t.decoding.reading import InputLimit
from t2t.interop.hugging_face import load_hf, save_hf
from t2t.models.config import Compute
from t2t.models.lora import LoRA, make_model
from t2t.trained import load_trained
from t2t.trained_model import TrainedModel
from t2t.training import loop
from t2t.training.checkpoints import Checkpoints
from tests.interop.t5_models import random_params, tiny
from tests.interop.t5x.checkpoints import random_target, write_legacy

CONFIG = tiny(vocab_size=384, dropout_rate=0.1)
STEP = 7
NAMES = ["INIT_FROM = 'imported'", "MIXTURE = 'bytes_copied'"]
RUN = """
train.model = %MODEL
train.sequence_length = {'inputs': 8, 'targets': 8}
train.batch_size = 8
train.optimizer = @OPTIMIZER()
OPTIMIZER.learning_rate = @constant_schedule()
constant_schedule.peak = 0.0
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """An empty folder to work in, two tasks, and the tests' own cache of compiled programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    text, ids = Feature(ByteVocabulary(extra_ids=125)), Feature(PassThroughVocabulary(12, 1))
    made = {
        "bytes_copied": (text, [{"inputs": f"word {i}", "targets": f"{i}"} for i in range(40)]),
        "ids_copied": (ids, [{"inputs": [3, i % 9 + 2], "targets": [i % 9]} for i in range(40)]),
    }
    for name, (feature, examples) in made.items():
        TaskRegistry.add(
            name,
            source=InMemoryDataSource({"train": examples, "validation": examples[:8]}),
            output_features={"inputs": feature, "targets": feature},
        )
    yield
    for name in made:
        TaskRegistry.remove(name)


@pytest.fixture
def hf():
    """Name of a folder of Hugging Face with a tokenizer."""
    save_hf(CONFIG, random_params(CONFIG), "hf", ByteVocabulary(extra_ids=125))
    return "hf"


@pytest.fixture
def imported(hf):
    """Name of the folder that `t2t import` made of it."""
    assert main(["import", "--from_hf", hf, "--model_dir", "imported"]) == 0
    return "imported"


@pytest.fixture
def t5x():
    """Name of a folder with a checkpoint of T5X after some steps, with Adafactor's moments."""
    target, random = random_target(), np.random.default_rng(1)
    state = {"step": np.int32(STEP)}
    for name, array in target.items():
        # Nothing is so large that it is factored.
        empty = {kind: np.zeros(1, np.float32) for kind in ("m", "v_row", "v_col")}
        moments = {**empty, "v": random.random(array.shape, np.float32) + 1}
        state |= {f"param_states/{name}/{kind}": value for kind, value in moments.items()}
    write_legacy(Path("t5x") / f"checkpoint_{STEP}", target, state=state)
    return "t5x"


def finetune(*words):
    """The command line of a fine-tuning from what was imported."""
    files = ["--gin_file=imported/model.gin", "--gin_file=runs/finetune.gin"]
    return ["train", *files, *(f"--gin.{name}" for name in NAMES), *words]


def train(optimizer, model_dir, task, steps, *words):
    """Trains what was imported, at a rate of 0, so that nothing changes."""
    Path("run.gin").write_text(RUN.replace("OPTIMIZER", optimizer))
    settings = {"model_dir": model_dir, "mixture": task, "total_steps": steps}
    bindings = [f"--gin.train.{name}={value!r}" for name, value in settings.items()]
    files = ["--gin_file=imported/model.gin", "--gin_file=run.gin"]
    return main(["train", *files, *bindings, *words])


def assert_same(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def message(capsys):
    """What was printed to standard error, on one line."""
    return " ".join(capsys.readouterr().err.split())


def test_imported_used_exported_and_imported_again(imported, capsys, tmp_path):
    trained = load_trained(imported)
    assert_same(trained.params, random_params(CONFIG))
    assert (trained.step, trained.task_or_mixture) == (0, None)

    (tmp_path / "in.txt").write_text("one\ntwo words\n\n")
    words = ["--input", "in.txt", "--max_decode_length", "3"]
    assert main(["infer", "--model_dir", imported, *words]) == 0
    assert capsys.readouterr().out.count("\n") == 3

    assert main(["export", "--model_dir", imported, "--to_hf", "out"]) == 0
    assert {path.name for path in Path("out").iterdir()} == {
        path.name for path in Path("hf").iterdir()
    }
    assert (
        Path("out/tokenizer_config.json").read_text()
        == Path("hf/tokenizer_config.json").read_text()
    )
    assert main(["import", "--from_hf", "out", "--model_dir", "again"]) == 0
    count = sum(leaf.size for leaf in jax.tree.leaves(trained.params))
    assert f"'again': EncoderDecoder of {count:,} parameters." in message(capsys)
    assert_same(load_trained("again").params, trained.params)
    assert load_trained("again").model.config == trained.model.config


def test_infer_makes_one_reader(imported, monkeypatch):
    made, reader = [], TrainedModel.reader

    def counted(self, *arguments):
        made.append(arguments)
        return reader(self, *arguments)

    monkeypatch.setattr(TrainedModel, "reader", counted)
    Path("in.txt").write_text("")
    words = ["--input", "in.txt", "--truncate", "--max_input_length", "5"]
    assert main(["infer", "--model_dir", imported, *words]) == 0
    assert made == [(64, InputLimit(5, truncate=True))]


def test_what_is_imported(imported):
    names = {path.name for path in Path(imported).iterdir()}
    assert names == {"model.json", "model.gin", "tokenizer", "checkpoints"}
    identity = json.loads(Path(imported, "model.json").read_text())
    assert identity["imported"]["from"] == "hf"
    assert not identity["imported"]["optimizer"]


def test_fine_tuned_from_an_import(imported):
    assert train("sgd", "run", "bytes_copied", 1, "--gin.train.init_from='imported'") == 0
    run = load_trained("run")
    assert run.step == 1
    assert_same(run.params, random_params(CONFIG))
    assert main(["export", "--model_dir", "run", "--to_hf", "out"]) == 0
    assert (Path("out") / "tokenizer_config.json").is_file()
    assert_same(load_hf("out").params, random_params(CONFIG))


def test_the_settings_of_an_import_go_with_the_file_for_fine_tuning(imported, capsys):
    assert main(finetune("--model_dir=run", "--gin.DROPOUT_RATE=0.3", "--dry_run")) == 0
    assert "8,176 parameters in all" in capsys.readouterr().out
    config.load(["imported/model.gin", "runs/finetune.gin"], ["MODEL_DIR = 'run'", *NAMES])
    model = config.arguments_of(loop.train)["model"]
    assert model.dropout.residual == model.dropout.hidden == 0.1
    assert model.compute.dtype == "bfloat16"
    assert dataclasses.replace(model, compute=Compute()) == load_trained(imported).model.config


def test_what_generation_keeps_to_is_a_file_for_fine_tuning(hf, capsys):
    settings = {"eos_token_id": [1, 9], "forced_bos_token_id": 100, "suppress_tokens": [7]}
    Path(hf, "generation_config.json").write_text(json.dumps(settings))
    assert main(["import", "--from_hf", hf, "--model_dir", "imported"]) == 0
    assert "--gin_file=imported/generation.gin" in message(capsys)
    rules = "--gin_file=imported/generation.gin"
    policy = ["train.evaluation=@EvalPolicy()", "EvalPolicy.decoding=@Decoding()"]
    words = [rules, *(f"--gin.{binding}" for binding in policy)]
    assert train("sgd", "run", "bytes_copied", 1, "--gin.train.init_from='imported'", *words) == 0
    decoding = load_trained("run").arguments["evaluation"].decoding
    assert decoding == Decoding(
        processors=(ForcedFirst(100), BlockedTokens((7,))), stop_tokens=(9,)
    )

    Path("in.txt").write_text("one\n")

    def said(*words):
        capsys.readouterr()
        infer = ["infer", "--input=in.txt", "--max_decode_length=3", "--quiet"]
        assert main([*infer, *words]) == 0
        return capsys.readouterr().out

    kept = said("--model_dir=run", rules)
    assert kept == said("--model_dir=imported")
    assert kept == said("--model_dir=run")  # by its own EvalPolicy
    assert kept.startswith("a")


def test_an_import_without_optimizer_cannot_go_on_in_its_folder(imported, capsys):
    assert main(finetune("--model_dir=imported")) == 1
    assert "holds an imported model without the state of an optimizer" in message(capsys)
    assert not Path(imported, "config.gin").exists()


def test_an_import_of_t5x_goes_on_in_its_folder(t5x):
    words = ["--with_optimizer", "--step", str(STEP), "--activations=silu,linear"]
    assert main(["import", "--from_t5x", t5x, "--model_dir", "imported", *words]) == 0
    before = load_trained("imported")
    assert before.step == STEP
    assert before.model.config.encoder.feed_forward.activations == ("silu", "linear")
    assert train("adafactor", "imported", "ids_copied", STEP + 2) == 0
    after = load_trained("imported")
    assert after.step == STEP + 2
    assert_same(after.params, before.params)


def test_t5x_without_optimizer(t5x):
    assert main(["import", "--from_t5x", t5x, "--model_dir", "imported"]) == 0
    identity = json.loads(Path("imported/model.json").read_text())
    assert not identity["imported"]["optimizer"]
    assert not Path("imported/tokenizer").exists()


@pytest.mark.parametrize("command", ["import", "export"])
def test_an_existing_folder_is_left_alone(imported, command, capsys):
    words = {
        "import": ["--from_hf", "hf", "--model_dir", "there"],
        "export": ["--model_dir", imported, "--to_hf", "there"],
    }
    Path("there").mkdir()
    Path("there/mine.txt").write_text("mine")
    assert main([command, *words[command]]) == 1
    assert "'there' exists already" in message(capsys)
    assert [path.name for path in Path("there").iterdir()] == ["mine.txt"]


def test_an_empty_folder_may_be_there(hf):
    Path("there").mkdir()
    assert main(["import", "--from_hf", hf, "--model_dir", "there"]) == 0
    assert load_trained("there").step == 0


def test_nothing_is_left_of_an_import_that_lacks_a_tensor(capsys):
    params = random_params(CONFIG)
    deeper = tiny(vocab_size=384, num_decoder_layers=3)
    save_hf(CONFIG, params, "hf")
    save_hf(deeper, random_params(deeper), "deeper")
    shutil.copy("deeper/config.json", "hf/config.json")
    before = {path.name for path in Path().iterdir()}
    assert main(["import", "--from_hf", "hf", "--model_dir", "imported"]) == 1
    assert "decoder.block.2." in message(capsys)
    assert {path.name for path in Path().iterdir()} == before


@pytest.mark.parametrize("command", ["import", "export"])
def test_nothing_is_left_of_what_was_interrupted(imported, command, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", interrupt)
    monkeypatch.setattr("t2t.interop.hugging_face.write_shards", interrupt)
    words = {
        "import": ["--from_hf", "hf", "--model_dir", "new"],
        "export": ["--model_dir", imported, "--to_hf", "new"],
    }
    assert main([command, *words[command]]) == 130
    assert "interrupted" in message(capsys)
    assert {path.name for path in Path().iterdir()} == {"hf", "imported"}


def test_bad_flags_of_a_good_folder(imported, t5x, capsys):
    for words, expected in [
        (["export", "--model_dir", imported, "--max_shard_size=many"], "max_shard_size"),
        (["export", "--model_dir", imported, "--tokenizer=t5x"], "'t5x' has no tokenizer"),
        (["import", "--from_t5x", t5x, "--step=5"], "no T5X checkpoint of step 5"),
        (["import", "--from_t5x", t5x, "--activations=relu"], "activations"),
    ]:
        target = "--to_hf=x" if words[0] == "export" else "--model_dir=x"
        assert main([*words, target]) == 1, words
        assert expected in message(capsys)
        assert not Path("x").exists()


def test_uses_of_an_import_that_need_a_task(imported, t5x, capsys):
    assert main(["eval", "--model_dir", imported]) == 1
    assert "name what to evaluate it on: --mixture=" in message(capsys)
    assert main(["eval", "--model_dir", imported, "--mixture=bytes_copied"]) == 0
    assert main(["import", "--from_t5x", t5x, "--model_dir", "ids"]) == 0
    capsys.readouterr()
    assert main(["infer", "--model_dir", "ids", "--input=hf/config.json"]) == 1
    assert "has no tokenizer that t2t reads" in message(capsys)
    assert main(["eval", "--model_dir", "ids", "--mixture=bytes_copied"]) == 1
    assert "has 384 ids, but EncoderDecoder.vocab_size is 12" in message(capsys)


def test_adapters_are_exported_in_their_kernels():
    lora = LoRA(rank=2, alpha=4.0)
    model = make_model(CONFIG, lora)
    params = jax.tree.map(
        lambda leaf: np.random.default_rng(0).normal(size=leaf.shape).astype(np.float32),
        model.abstract_params,
    )
    conversion.export_hf(TrainedModel({}, model, params, 0, None, None), "out")
    assert_same(load_hf("out").params, jax.tree.map(np.asarray, lora.merge(params)))
