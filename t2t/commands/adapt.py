"""`t2t adapt`."""

import argparse
import sys
from typing import Any

from t2t.commands.parser import add_command, add_imports, prepare_jax, refuse


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    summary = "Make an encoder-decoder of one or two decoder-only language models."
    command = add_command(commands, "adapt", run, summary)
    command.add_argument("--encoder_dir", required=True, metavar="DIR", help=
        "folder of the run, or imported model, that becomes the encoder")  # fmt: skip
    command.add_argument("--decoder_dir", metavar="DIR", help=
        "the one that becomes the decoder (default: the same)")  # fmt: skip
    command.add_argument("--model_dir", required=True, metavar="DIR", help="folder to make")
    add_imports(command)
    command.epilog = (
        "As T5Gemma (https://arxiv.org/abs/2504.06225). Example:\n"
        "  t2t import --from_hf llama --model_dir lm && t2t adapt --encoder_dir lm --model_dir out"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    prepare_jax()
    from t2t.conversion import adapt_runs
    from t2t.reporting.parameters import parameter_count

    config = adapt_runs(
        args.encoder_dir, args.decoder_dir or args.encoder_dir, args.model_dir, tuple(args.imports)
    )
    print(
        f"'{args.model_dir}': an encoder-decoder of {parameter_count(config):,} parameters. Its "
        f"settings are in '{args.model_dir}/model.gin'.",
        file=sys.stderr,
    )
    return 0
