"""Programs that do what they are called for, `t2t train` on settings that take seconds."""

import contextlib
import os
import runpy
import sys
from collections.abc import Sequence
from typing import Any
from unittest import mock

import gin
from t2t import cli, config
from t2t.data.sources import FunctionDataSource
from t2t.errors import UserError
from tests.docs import checked
from tests.docs.pages import ROOT
from tests.docs.shell import Call

MACROS = {
    "TRAIN_STEPS": 2,
    "WARMUP_STEPS": 1,
    "BATCH_SIZE": 16,
    "D_MODEL": 16,
    "D_FF": 32,
    "NUM_HEADS": 2,
    "NUM_KV_HEADS": 1,
    "HEAD_DIM": 8,
    "NUM_LAYERS": 1,
    "NUM_ENCODER_LAYERS": 1,
    "NUM_DECODER_LAYERS": 1,
}
PARAMETERS = {
    "train.total_steps": 2,
    "train.batch_size": 16,
    "train.log_every": 1,
    "EvalPolicy.every": 2,
    "CheckpointPolicy.every": 2,
    **{f"{name}_schedule.warmup_steps": 1 for name in ("cosine", "linear", "rsqrt", "wsd")},
}
FLAGS = {
    "--num_workers": "1",
    "--num_examples": "8",
    "--max_decode_length": "8",
    "--vocab_size": "200",
}
_examples = FunctionDataSource._examples
SETTINGS = {"JAX_NUM_CPU_DEVICES": "8"}  # of this process, and of examples that name it


def t2t(call: Call) -> int:
    """Runs the command; training ends after two steps of a model of 16 features."""
    for name, value in call.environment.items():
        if name.startswith("JAX_") and os.environ.get(name, SETTINGS.get(name)) != value:
            print(f"{name}={value} needs a process of its own: mark the block", file=sys.stderr)
            return 1
    with mock.patch.object(FunctionDataSource, "_examples", _few_examples):
        return cli.main([*call.words, *_shorter(call)])


def python(call: Call) -> int:
    """Runs a tool."""
    if call.words[0] == "-m":
        return checked.python(call)
    tool = ROOT / call.words[0]
    with (
        mock.patch.object(sys, "argv", [str(tool), *call.words[1:], *_shorter(call)]),
        mock.patch.object(sys, "path", [str(tool.parent), *sys.path]),
    ):
        runpy.run_path(str(tool), run_name="__main__")  # raises SystemExit if it fails
    return 0


def _few_examples(source: FunctionDataSource, split: str) -> Sequence[Any]:
    return _examples(source, split)[:64]


def _shorter(call: Call) -> list[str]:
    """What is added to a command so that it takes seconds; later flags win."""
    words, bindings = cli._split_bindings(call.words)
    flags = {word.partition("=")[0] for word in words}
    added = [f"{flag}={value}" for flag, value in FLAGS.items() if flag in flags]
    if words[0] != "train" or "--dry_run" in flags:
        return added
    sys.path.insert(0, call.folder)
    args = cli._parser().parse_args(words)
    with contextlib.suppress(UserError):  # the command itself will raise it
        config.load(args.gin_file, bindings, args.gin_search_paths.split(","), args.imports)
        small = {name: value for name, value in MACROS.items() if config.has_macro(name)}
        small |= {name: value for name, value in PARAMETERS.items() if _value(name) is not None}
        if _value("EvalPolicy.every"):
            small |= {"EvalPolicy.num_examples": 8, "EvalPolicy.max_decode_length": 8}
        for name in ("LENGTHS", "train.sequence_length"):
            if lengths := _value(name):
                small[name] = {feature: min(length, 64) for feature, length in lengths.items()}
        added += [f"--gin.{name}={value!r}" for name, value in small.items()]
    return added


def _value(name: str) -> Any:
    """The value that the configuration gives to a macro or parameter; None for a reference."""
    try:
        value = gin.query_parameter(name if "." in name else f"%{name}")
    except ValueError:
        return None
    return value if isinstance(value, int | dict) else None


EXECUTED = {
    **checked.INSTALLING,
    "bash": checked.bash,
    "t2t": t2t,
    "python": python,
    "pytest": checked.pytest,
}
