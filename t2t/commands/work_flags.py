"""Flags that say what to read, where to write, and how to share that out to jobs."""

import argparse
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from t2t.errors import UserError

if TYPE_CHECKING:
    from t2t.reporting.inputs import Inputs


def add_work(command: argparse.ArgumentParser, records: str) -> None:
    """Adds them.

    Args:
      command: to add them to.
      records: what lines of --input are, for the help.
    """
    command.add_argument("--input", nargs="+", default=["-"], metavar="FILE", help=
        f"{records}; files, globs, .gz and s3://... (default: standard input)")  # fmt: skip
    command.add_argument("--task", metavar="NAME", help="read the examples of a task instead")
    command.add_argument("--split", metavar="NAME", help="of the task (default: validation)")
    command.add_argument("--num_examples", type=int, metavar="N", help="the first N alone")
    command.add_argument("--output", default="-", metavar="FILE", help=
        "compressed if it ends in .gz (default: standard output)")  # fmt: skip
    command.add_argument("--shard", metavar="K/N", help=
        "do the K-th of N equal shares, from 0; independent jobs do the others, and each writes "
        "files of its own: FILE-0000K-of-0000N")  # fmt: skip
    command.add_argument("--num_parts", type=int, metavar="N", help=
        "write N files of equally many records (default: one per shard)")  # fmt: skip
    command.add_argument("--skip_existing", action="store_true", help=
        "do nothing if the output is there already")  # fmt: skip
    command.add_argument("--batch_size", type=int, default=64, metavar="N", help=
        "records at a time (default: 64)")  # fmt: skip
    command.add_argument("--quiet", action="store_true", help=
        "show neither how far it is nor how fast it was")  # fmt: skip


def inputs_of(args: argparse.Namespace, *, needs_inputs: bool = True) -> "Inputs":
    """What --input or --task names.

    Args:
      args: with the flags.
      needs_inputs: whether every JSON record must have a string "inputs".

    Raises:
      UserError: if there is none such.
    """
    from t2t.commands.parser import import_modules
    from t2t.reporting.inputs import FileInputs, TaskInputs

    if args.task is None:
        if args.split is not None:
            raise UserError("--split is of a task: add --task=NAME.")
        file_format = getattr(args, "format", "jsonl")
        return FileInputs(args.input, file_format, needs_inputs=needs_inputs)
    if args.input != ["-"]:
        raise UserError("Both --input and --task say what to read; leave one of them out.")
    import_modules(args.imports)
    return TaskInputs(args.task, args.split or "validation")


@dataclasses.dataclass(frozen=True)
class Shard:
    """The parts of an output that one of `count` jobs writes."""

    index: int
    count: int
    num_parts: int

    @property
    def parts(self) -> range:
        begin, end = (k * self.num_parts // self.count for k in (self.index, self.index + 1))
        return range(begin, end)

    def target(self, output: str, part: int) -> str:
        """The file of a part."""
        if self.num_parts == 1:
            return output
        path, end = Path(output.removesuffix(".gz")), ".gz" if output.endswith(".gz") else ""
        return f"{path.with_stem(f'{path.stem}-{part:05d}-of-{self.num_parts:05d}')}{end}"

    def folder(self, output: str) -> Path:
        """Where what is not finished is kept, beside the output."""
        path = Path(output).resolve()
        which = f".shard-{self.index}-of-{self.count}" if self.count > 1 else ""
        return path.with_name(f"{path.name}{which}.partial")


def shard_of(args: argparse.Namespace) -> Shard:
    """What --shard and --num_parts say; raises UserError if that cannot be."""
    index, count = 0, 1
    if args.shard is not None:
        given = re.fullmatch(r"(\d+)/(\d+)", args.shard)
        if not given or int(given[1]) >= int(given[2]):
            raise UserError(
                f"--shard is '{args.shard}'; it must be K/N with K from 0 to N - 1: the first of 8 "
                f"jobs has --shard=0/8, the last --shard=7/8."
            )
        index, count = int(given[1]), int(given[2])
    num_parts = count if args.num_parts is None else args.num_parts
    if num_parts < count:
        raise UserError(
            f"--num_parts must be at least {count}, the number of shards, got {num_parts}."
        )
    if args.num_examples is not None and args.num_examples < 1:
        raise UserError(f"--num_examples must be at least 1, got {args.num_examples}.")
    return Shard(index, count, num_parts)
