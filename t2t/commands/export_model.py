"""`t2t export`."""

import argparse
import sys
from typing import Any

from t2t.commands.parser import add_command, add_trained, load, prepare_jax, refuse


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    summary = "Write a run's model as a folder that Hugging Face transformers loads."
    command = add_command(commands, "export", run, summary)
    add_trained(command)
    command.add_argument("--to_hf", required=True, metavar="DIR", help="folder to make")
    command.add_argument("--tokenizer", metavar="DIR", help=
        "folder to copy the tokenizer's files from (default: what was imported, else the run's "
        "vocabulary)")  # fmt: skip
    command.add_argument("--dtype", default="float32", choices=("float32", "float16", "bfloat16"))
    command.add_argument("--max_shard_size", default="5GB", metavar="SIZE", help=
        "of a file of tensors (default: 5GB)")  # fmt: skip
    command.epilog = "Example: t2t export --model_dir runs/quickstart --to_hf exported"


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    prepare_jax()
    from t2t.conversion import export_hf

    export_hf(load(args), args.to_hf, args.tokenizer, args.dtype, args.max_shard_size)
    print(f"'{args.to_hf}' is ready for from_pretrained().", file=sys.stderr)
    return 0
