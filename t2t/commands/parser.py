"""The parser of the command line, and flags that several commands have."""

import argparse
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from t2t.errors import UserError, did_you_mean
from t2t.user_modules import import_user_module

Run = Callable[[argparse.Namespace, list[str]], int]
"""Runs a command, given its flags and the gin bindings; returns the exit status."""


class Parser(argparse.ArgumentParser):
    """Suggests the nearest flag or command on a mistake."""

    def parse_args(self, args=None, namespace=None):  # type: ignore[override]
        """As argparse; what a command does not know is answered with that command's flags.

        Unless it has a default `passes_on`: then it finds it as `passed_on`.
        """
        parsed, unknown = self.parse_known_args(args, namespace)
        parsed.passed_on = unknown
        if unknown and not getattr(parsed, "passes_on", False):
            parser = getattr(parsed, "parser", self)
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed

    def error(self, message: str):
        known = self._words()
        unknown = re.search(r"(?:unrecognized arguments|invalid choice): (.*?)(?: \(|$)", message)
        given = unknown[1].split() if unknown else []
        words = [word.strip("',").split("=")[0] for word in given]
        hints = [did_you_mean(word, known) for word in words if word not in known]
        hint = next((h for h in hints if h), "")
        self.exit(2, f"t2t: error: {message}.{hint} See `{self.prog} --help`.\n")

    def _words(self) -> list[str]:
        """All flags, their choices and commands, those of sub-commands too."""
        words: list[str] = []
        for action in self._actions:
            words += [*action.option_strings, *map(str, action.choices or ())]
            for sub in action.choices.values() if isinstance(action.choices, dict) else ():
                words += sub._words()
        return words


def add_command(commands: Any, name: str, run: Run, summary: str) -> argparse.ArgumentParser:
    """Adds a command that calls `run`; returns its parser."""
    command = commands.add_parser(
        name,
        help=summary,
        description=summary,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run, parser=command)
    return command


def add_gin(command: argparse.ArgumentParser) -> None:
    """--gin_file and --gin_search_paths."""
    command.add_argument("--gin_file", action="append", default=[], metavar="FILE", help=
        "gin file, looked for here, in --gin_search_paths and in the gin/ of t2t; repeatable, "
        "later files win")  # fmt: skip
    command.add_argument("--gin_search_paths", default="", metavar="DIRS", help=
        "folders with gin files, separated by commas")  # fmt: skip


def add_imports(command: argparse.ArgumentParser) -> None:
    """--import."""
    command.add_argument("--import", dest="imports", action="append", default=[], metavar="MODULE",
        help="Python module to import first, such as one that registers tasks; repeatable",
    )  # fmt: skip


def add_caches(command: argparse.ArgumentParser) -> None:
    """--cache_dir."""
    command.add_argument("--cache_dir", dest="cache_dirs", action="append", default=[],
        metavar="DIR", help="read tasks that `t2t cache` wrote there from it; repeatable",
    )  # fmt: skip


def add_trained(command: argparse.ArgumentParser) -> None:
    """What tells a trained model: --model_dir, --step and the like."""
    command.add_argument("--model_dir", required=True, metavar="DIR", help="folder of the run")
    command.add_argument("--mixture", help="task or mixture to use instead of the run's")
    command.add_argument(
        "--step", type=int, help="of the checkpoint (default: the newest intact one)"
    )
    add_imports(command)


def add_processes(command: argparse.ArgumentParser) -> None:
    """--coordinator_address and what else tells a process of several its place."""
    group = command.add_argument_group("several processes", "found under Slurm, on TPU pods and in "
        "the environment (JAX_COORDINATOR_ADDRESS ...), too; see docs/parallelism.md")  # fmt: skip
    group.add_argument("--coordinator_address", metavar="HOST:PORT", help="where process 0 listens")
    group.add_argument("--num_processes", type=int, metavar="N")
    group.add_argument("--process_id", type=int, metavar="I", help="of this one, from 0")
    group.add_argument("--coordinator_timeout", type=int, default=300, metavar="SECONDS", help=
        "that all have to come (default: 300)")  # fmt: skip
    group.add_argument("--heartbeat_timeout", type=int, default=100, metavar="SECONDS", help=
        "without a sign of life, after which one is lost and all end (default: 100)")  # fmt: skip


def join_processes(args: argparse.Namespace) -> None:
    """Waits for the other processes, if there are any; before anything uses a device."""
    for name in ("coordinator_timeout", "heartbeat_timeout"):
        if getattr(args, name) < 1:
            raise UserError(f"--{name} must be at least 1, got {getattr(args, name)}.")
    from t2t.distributed import find_place, join

    timeout = args.coordinator_timeout
    place = find_place(args.coordinator_address, args.num_processes, args.process_id, timeout)
    if place:
        join(place, timeout=timeout, heartbeat=args.heartbeat_timeout)
        if not speaks_for_all():
            logging.getLogger("t2t").setLevel(logging.WARNING)


def speaks_for_all() -> bool:
    """Whether this is the process that prints what several would print alike."""
    import jax

    return jax.process_index() == 0


def import_modules(modules: Sequence[str]) -> None:
    """Imports what --import names."""
    for module in modules:
        import_user_module(module)


def use_caches(args: argparse.Namespace) -> None:
    """Lets tasks be read from the folders of --cache_dir."""
    from t2t.data.cache import set_cache_dirs

    set_cache_dirs(args.cache_dirs)


def load(args: argparse.Namespace, own_devices: bool = False) -> Any:
    """The trained model of --model_dir, for all devices or for those of this process."""
    from t2t.trained import load_trained

    return load_trained(
        args.model_dir,
        mixture=args.mixture,
        step=args.step,
        imports=tuple(args.imports),
        own_devices=own_devices,
    )


def refuse(bindings: list[str]) -> None:
    """Raises UserError if there are gin bindings, for commands that take none."""
    if bindings:
        raise UserError(f"--gin.{bindings[0]}: only `t2t train` and `t2t infer` take gin bindings.")


def prepare_jax() -> None:
    """Keeps compiled programs between runs; refuses shapes that would fit by chance."""
    import jax

    from t2t.compilation_cache import use_compilation_cache

    use_compilation_cache()
    jax.config.update("jax_numpy_rank_promotion", "raise")
