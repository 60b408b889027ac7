"""`t2t train --dry_run`: its numbers are those of the model, and nothing is written."""

import re
from pathlib import Path

import jax
import pytest

from t2t.cli import main
from t2t.models.definition import Model
from t2t.reporting.dry_run import dry_run_report
from t2t.reporting.parameters import counts, parameter_table
from t2t.training.flops import train_flops
from t2t.training.optimizers import adamw, sgd
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule
from t2t.training.trainable import Trainable
from tests.training.conftest import TINY

LENGTHS = {"inputs": 32, "targets": 24}
PARAMETERS = sum(counts(Model(TINY).abstract_params).values())


def report(optimizer=None, mesh=None):
    optimizer = optimizer or adamw(constant_schedule(1e-3))
    return dry_run_report(Model(TINY), optimizer, (mesh or MeshShape()).mesh(), LENGTHS, 16)


def amount(text, name):
    """The number behind a name: 1.23 k is 1230."""
    number, prefix = re.search(rf"{name} +([\d.e+]+) ?([kMGTP]?)\b", text).groups()
    return float(number) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}[prefix]


def test_the_table_is_that_of_parameters():
    table = parameter_table(Model(TINY), MeshShape().mesh())
    assert report().startswith(table + "\n")
    assert f"{PARAMETERS:,} parameters in all" in table


def test_modules_add_up():
    lines = report().split("module ")[1].split("\n\n")[0].splitlines()[1:]
    rows = [re.match(r"( *)(\S+) +([\d,]+) +([\d.]+)%$", line).groups() for line in lines]
    numbers = [(len(indent), name, int(n.replace(",", ""))) for indent, name, n, _ in rows]
    assert sum(n for indent, _, n in numbers if indent == 0) == PARAMETERS
    assert sum(float(share) for indent, _, _, share in rows if not indent) == pytest.approx(
        100, abs=0.3
    )
    for i, (indent, name, number) in enumerate(numbers):
        inside = []
        for deeper, _, n in numbers[i + 1 :]:
            if deeper <= indent:
                break
            inside += [n] if deeper == indent + 2 else []
        assert not inside or sum(inside) == number, name


def test_operations():
    flops = train_flops(TINY, 32, 24, 16)
    text = report()
    assert amount(text, "training, per step") == pytest.approx(flops, rel=0.01)
    assert amount(text, "training, per token") == pytest.approx(flops / 16 / 56, rel=0.01)
    assert amount(text, "forward, per token") == pytest.approx(flops / 3 / 16 / 56, rel=0.01)


def test_bytes_of_one_copy_and_of_a_split_one():
    whole = report(mesh=MeshShape())
    assert amount(whole, "  parameters  ") == pytest.approx(4 * PARAMETERS, rel=0.01)
    # AdamW has two moments of each parameter, and a count or two.
    assert amount(whole, "optimizer state") == pytest.approx(8 * PARAMETERS, rel=0.01)
    split = report(mesh=MeshShape(1, 8, 1))
    shares = [
        4 * leaf.size
        for leaf in jax.tree.leaves(Model(TINY).abstract_params)
        if max(leaf.shape) % 8 == 0
    ]
    least = (4 * PARAMETERS - sum(shares) * 7 / 8) * 0.99
    assert least <= amount(split, "  parameters  ") < 4 * PARAMETERS / 2
    assert "Bytes on each of 8 device(s), data 1 x fsdp 8 x sequence 1 x tensor 1:" in split


def test_what_is_frozen_has_no_state():
    optimizer = adamw(constant_schedule(1e-3))._replace(trainable=Trainable(("encoder/.*",)))
    model = Model(TINY)
    trained = sum(n for name, n in counts(model.abstract_params).items() if name[:3] == "enc")
    assert amount(report(optimizer), "optimizer state") == pytest.approx(8 * trained, rel=0.01)
    assert amount(report(sgd(constant_schedule(1e-3))), "optimizer state") < 100


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    return tmp_path


def test_the_command_prints_and_writes_nothing(folder, capsys):
    assert main(["train", "--gin_file=quickstart.gin", "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "886,528 parameters in all" in printed
    assert "(64 rows)" in printed
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gin.MIXTURE='speling'"], "Did you mean 'spelling'"),
        (["--gin.train.batch_size=7"], "batch"),
        (["--gin.VOCAB_SIZE=100"], "vocab_size is 100; it must be at least as large"),
        (["--gin.train.init_from='nowhere'"], "'nowhere' is not the folder of a run"),
        (["--gin.NUM_HEADS=0"], "num_heads must be at least 1"),
        (["--gin.train.total_steps=0"], "total_steps must be at least 1"),
        (
            ["--gin.train.trainable=@Trainable()", "--gin.Trainable.include=('encode/.*',)"],
            "Trainable.include",
        ),
    ],
)
def test_what_training_refuses_is_refused(folder, words, message, capsys):
    assert main(["train", "--gin_file=quickstart.gin", "--dry_run", *words]) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert list(folder.iterdir()) == []


def test_a_preset_larger_than_memory(folder, capsys):
    words = ["--gin_file=models/t5_1_1_xxl.gin", "--gin_file=runs/pretrain.gin", "--dry_run"]
    names = ["--gin.MIXTURE='spelling'", "--model_dir=run"]
    assert main(["train", *words, *names]) == 0
    printed = capsys.readouterr().out
    assert "11,135,332,352 parameters in all" in printed
    assert amount(printed, "  parameters  ") == pytest.approx(4 * 11_135_332_352, rel=0.01)
    # Three passes of two operations; half of the parameters see each of 626 tokens of 128 rows.
    estimate = 3 * 2 * 11_135_332_352 / 2 * 626 * 128
    assert amount(printed, "training, per step") == pytest.approx(estimate, rel=0.1)
    assert not Path("run").exists()


def test_a_model_without_a_head_over_words(folder, capsys):
    sizes = "D_MODEL = 64\nD_FF = 64\nNUM_HEADS = 1\nNUM_LAYERS = 1\n"
    head = "EncoderOnly.heads = (@SequenceClasses(),)\nSequenceClasses.num_classes = 3\n"
    path = folder / "classes.gin"
    path.write_text(f"include 'models/bert_encoder.gin'\n{sizes}{head}")
    words = ["--gin_file=classes.gin", "--gin_file=runs/pretrain.gin", "--model_dir=run"]
    assert main(["train", *words, "--gin.MIXTURE='spelling'", "--dry_run"]) == 1
    assert "EncoderOnly.heads has no LMHead" in " ".join(capsys.readouterr().err.split())
