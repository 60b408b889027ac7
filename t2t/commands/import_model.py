"""`t2t import`."""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from t2t.commands.parser import add_command, prepare_jax, refuse
from t2t.errors import UserError

if TYPE_CHECKING:
    from t2t.models.definition import ModelConfig


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    summary = "Make a run's folder of a checkpoint of Hugging Face or T5X."
    command = add_command(commands, "import", run, summary)
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--from_hf", metavar="DIR", help=
        "folder with config.json and model.safetensors (or pytorch_model.bin), in one or more files"
    )  # fmt: skip
    source.add_argument("--from_t5x", metavar="DIR", help=
        "folder checkpoint_<step> of T5X, in either of its formats, or the folder above"
    )  # fmt: skip
    command.add_argument("--model_dir", required=True, metavar="DIR", help="folder to make")
    command.add_argument("--step", type=int, help="of T5X's checkpoints (default: the newest)")
    command.add_argument("--activations", metavar="NAMES", help=
        "of T5X's feed-forward layers, separated by commas (default: gelu_tanh,linear where they "
        "are gated, else relu)")  # fmt: skip
    command.add_argument("--with_optimizer", action="store_true", help=
        "take T5X's Adafactor state along, to go on training in the folder")  # fmt: skip
    command.epilog = (
        "Then: t2t train --gin_file=OUT/model.gin --gin_file=runs/finetune.gin \\\n"
        "  --gin.INIT_FROM=\"'OUT'\" ..., t2t infer --model_dir OUT, t2t export --model_dir OUT ..."
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    for name in ("step", "activations", "with_optimizer"):
        value = getattr(args, name)
        if value is not None and value is not False and not args.from_t5x:
            raise UserError(f"--{name} is for --from_t5x.")
    prepare_jax()
    from t2t.conversion import import_hf, import_t5x
    from t2t.interop.hugging_face import generation_of
    from t2t.reporting.parameters import parameter_count

    hints: list[str] = []
    if args.from_hf:
        config = import_hf(args.from_hf, args.model_dir)
        hints = _hints(generation_of(args.from_hf), config, args.model_dir)
    else:
        activations = tuple(args.activations.split(",")) if args.activations else None
        config = import_t5x(
            args.from_t5x, args.model_dir, args.step, activations, args.with_optimizer
        )
    print(
        f"'{args.model_dir}': {type(config).__name__} of {parameter_count(config):,} parameters. "
        f"Its settings are in '{args.model_dir}/model.gin'.",
        file=sys.stderr,
    )
    for hint in hints:
        print(hint, file=sys.stderr)
    return 0


def _hints(settings: Mapping[str, Any], config: "ModelConfig", model_dir: str) -> list[str]:
    """What generate() of transformers would do by default, and t2t does not by itself."""
    from t2t.interop.generation_settings import not_done, preferred_flags, rules_gin

    hints = []
    if flags := preferred_flags(settings, config):
        hints.append(f"To generate as generation_config.json prefers: t2t infer ... {flags}")
    if rules_gin(settings, config):
        hints.append(
            f"Runs fine-tuned from it keep to what generation_config.json forces and forbids with "
            f"--gin_file={model_dir}/generation.gin; see docs/interop.md."
        )
    if names := not_done(settings):
        hints.append(f"generation_config.json asks for what t2t does not have: {', '.join(names)}")
    return hints
