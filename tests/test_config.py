"""Strict gin: what is refused, and with which words."""

import fsspec
import pytest

from t2t import config
from t2t.errors import UserError
from t2t.training.loop import train

BASE = "quickstart.gin"


def load(*bindings, files=(BASE,), **kwargs):
    config.load(files, bindings, **kwargs)
    return config.arguments_of(train)


def test_files_bindings_and_macros_make_arguments():
    arguments = load("TRAIN_STEPS = 500", "train.seed = 7")
    assert arguments["total_steps"] == 500
    assert arguments["seed"] == 7
    assert arguments["model"].encoder.d_model == 128
    assert float(arguments["optimizer"].learning_rate(500)) < 1e-3


def test_later_files_and_bindings_win(tmp_path):
    (tmp_path / "more.gin").write_text("D_MODEL = 64\nNUM_HEADS = 2\n")
    arguments = load("NUM_HEADS = 8", files=[BASE, str(tmp_path / "more.gin")])
    decoder = arguments["model"].decoder
    assert (decoder.d_model, decoder.attention.num_heads) == (64, 8)


def test_operative_config_gives_the_same_arguments(tmp_path):
    first = load("TRAIN_STEPS = 500", "FeedForward.activations = ('relu',)")
    text = config.operative_config()
    (tmp_path / "config.gin").write_text(text)
    again = load(files=[str(tmp_path / "config.gin")])
    same = [name for name in first if name != "optimizer"]
    assert {n: first[n] for n in same} == {n: again[n] for n in same}
    assert config.operative_config() == text


REFUSED = {
    "unknown file": (
        {"files": ["quikstart.gin"]},
        [],
        r"'quikstart.gin' does not.*'quickstart.gin'",
    ),
    "unknown parameter": (
        {},
        ["train.totl_steps = 3"],
        "'train' has no parameter 'totl_steps'. Did you mean 'total_steps'",
    ),
    "unknown configurable": ({}, ["trian.seed = 3"], "'trian'. Did you mean 'train'"),
    "other case": ({}, ["Stack.positions = @Rope()"], "'Rope'. Did you mean 'RoPE'"),
    "unknown reference": ({}, ["train.optimizer = @adamm()"], "'adamm'. Did you mean 'adamw'"),
    "unused macro": ({}, ["TRAIN_STEP = 3"], "TRAIN_STEP is set but.*Did you mean 'TRAIN_STEPS'"),
    "undefined macro": ({}, ["train.seed = %SEED"], "%SEED is used but never set"),
    "unused binding": (
        {},
        ["adafactor.decay_rate = 0.5"],
        "adafactor.decay_rate is set but nothing uses adafactor",
    ),
    "int expected": (
        {},
        ["train.batch_size = 'abc'"],
        "train.batch_size = 'abc' is a string; .*whole",
    ),
    "float is no int": (
        {},
        ["train.batch_size = 1.5"],
        "1.5 is a number; it must be a whole number",
    ),
    "bool is no int": ({}, ["train.batch_size = True"], "it must be a whole number"),
    "object expected": ({}, ["train.mesh = 3"], "it must be a MeshShape"),
    "tuple expected": ({}, ["FeedForward.activations = 'relu'"], "it must be a tuple of a string"),
    "dict of ints": ({}, ["train.sequence_length = {'inputs': 'x'}"], "must be a dict of a string"),
    "not called": ({}, ["train.model = @EncoderDecoder"], r"not called.*Write @EncoderDecoder\(\)"),
    "bad value": ({}, ["Compute.remat = 'ful'"], "'ful' is none of.*Did you mean 'full'"),
    "unquoted string": (
        {},
        ["MODEL_DIR = /tmp/x"],
        r"--gin.MODEL_DIR = /tmp/x.*Strings need quotes",
    ),
    "required": (
        {},
        ["train.total_steps = %gin.REQUIRED", "cosine_schedule.total_steps = 200"],
        "no value",
    ),
    "nothing": ({"files": []}, [], "no value: train.batch_size.*--gin_file"),
    "import": ({"imports": ["no.such.module"]}, [], "--import.*No module named 'no'"),
    "internal parameter": ({}, ["train.config_text = 'x'"], "config_text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_named(name):
    kwargs, bindings, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as error:
        load(*bindings, **kwargs)
    assert "\n" not in str(error.value)


def test_error_in_a_file_names_file_and_line(tmp_path):
    path = tmp_path / "broken.gin"
    path.write_text(f"include '{BASE}'\n\ntrain.seed = [1,\n")
    with pytest.raises(UserError, match=r"broken.gin: not valid gin, line \d"):
        load(files=[str(path)])


def test_files_may_be_in_any_store(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path))
    system = fsspec.filesystem("memory")
    system.pipe({"/gin/a.gin": b"train.seed = 3\n", "/gin/b.gin": b"train.seed = 4\n"})
    assert load(files=[BASE, "memory://gin/a.gin"])["seed"] == 3
    with pytest.raises(UserError, match=r"'memory://gin/aa.gin' does not exist. Did you mean 'a.g"):
        load(files=["memory://gin/aa.gin"])
    with pytest.raises(UserError, match="stands for 2 files; name one"):
        load(files=["memory://gin/*.gin"])


def test_includes_are_found_beside_the_file_and_missing_ones_named(tmp_path):
    (tmp_path / "a.gin").write_text(f"include '{BASE}'\ninclude 'b.gin'\n")
    (tmp_path / "b.gin").write_text("train.seed = 3\n")
    assert load(files=[str(tmp_path / "a.gin")])["seed"] == 3
    (tmp_path / "a.gin").write_text("include 'models/byte_tiny.gin'\n")
    with pytest.raises(UserError, match=r"Did you mean 'models/bytes_tiny.gin'"):
        load(files=[str(tmp_path / "a.gin")])
    (tmp_path / "b.gin").write_text("include 'b.gin'\n")
    with pytest.raises(UserError, match=r"b.gin' includes itself"):
        load(files=[str(tmp_path / "b.gin")])


def test_search_paths(tmp_path):
    (tmp_path / "mine.gin").write_text(f"include '{BASE}'\ntrain.seed = 5\n")
    assert load(files=["mine.gin"], search_paths=[str(tmp_path)])["seed"] == 5


def test_a_load_forgets_the_one_before():
    load("train.seed = 9")
    assert "seed" not in load()


@pytest.mark.parametrize(("run", "macro"), [("pretrain", ()), ("finetune", ("INIT_FROM = 'a'",))])
def test_run_files_go_with_any_model(run, macro):
    files = ["models/t5_1_1_base.gin", f"runs/{run}.gin"]
    macros = ["MODEL_DIR = 'x'", "MIXTURE = 'spelling'", *macro]
    arguments = load(*macros, files=files)
    model = arguments["model"]
    assert (model.encoder.d_model, model.compute.dtype) == (768, "bfloat16")
    with pytest.raises(UserError, match=r"train.mixture has no value"):
        load(macros[0], *macro, files=files)


def test_the_models_file_comes_before_the_runs():
    files = ["runs/finetune.gin", "models/t5_1_1_small.gin"]
    with pytest.raises(UserError, match="has to come before the file of the run"):
        load(files=files)


def test_two_models_are_refused():
    files = ["models/t5_1_1_small.gin", "models/bart_base.gin"]
    with pytest.raises(UserError, match="says what MODEL is, and a file before it"):
        load(files=files)
