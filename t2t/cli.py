"""The command `t2t`: parses flags, calls a function, turns UserErrors into one paragraph."""

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from t2t import __version__, companions
from t2t.aborting import formatted
from t2t.commands import (
    adapt,
    cache,
    compare,
    embed,
    evaluate,
    export_model,
    fetch,
    import_model,
    infer,
    inspect,
    lm_eval,
    plan,
    report,
    score,
    train,
)
from t2t.commands.parser import Parser
from t2t.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    words, bindings = _split_bindings(list(sys.argv[1:] if argv is None else argv))
    sys.path.insert(0, os.getcwd())  # for --import, as `python -m` has it
    args = _parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("t2t").setLevel(logging.INFO)
    logging.getLogger("jax").setLevel(logging.ERROR)
    # Orbax and gcsfs log, with tracebacks, what they then raise, and we report.
    for name in ("absl", "gcsfs"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return args.run(args, bindings)
    except UserError as error:
        if others := companions.current():
            others.fail(str(error))
        print(formatted(str(error)), file=sys.stderr)
        return 1
    except BrokenPipeError:  # `t2t infer | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if others := companions.current():
            others.fail("interrupted.")
        print("t2t: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except Exception as error:
        if others := companions.current():
            others.explain(error)
            traceback.print_exc()
            others.fail(f"it ended with {type(error).__name__}: {error}")
        raise


def _split_bindings(words: list[str]) -> tuple[list[str], list[str]]:
    """Takes `--gin.NAME=VALUE` out of the command line, as gin bindings."""
    bindings = [word.removeprefix("--gin.") for word in words if word.startswith("--gin.")]
    return [word for word in words if not word.startswith("--gin.")], bindings


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="t2t",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Pretrain, fine-tune, evaluate and use text-to-text transformers.",
        epilog="Start here: t2t train --gin_file=quickstart.gin",
    )
    parser.add_argument("--version", action="version", version=f"t2t {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (
        train,
        evaluate,
        compare,
        infer,
        score,
        embed,
        lm_eval,
        inspect,
        plan,
        cache,
        fetch,
        import_model,
        export_model,
        adapt,
        report,
    ):
        module.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
