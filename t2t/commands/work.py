"""Records that are shared out: to jobs, to the processes of a job, to those that come after a kill.

A job (`Shard`) writes some of the parts of an output, one after the other. Of a part, each process
does every so many windows one, and keeps what it finds out in a journal; process 0 joins these.
"""

import argparse
import contextlib
import functools
import itertools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from t2t import companions
from t2t.commands.parser import join_processes, load, prepare_jax
from t2t.commands.work_flags import shard_of
from t2t.data.prefetching import prefetch
from t2t.decoding.length_buckets import window_size
from t2t.errors import UserError
from t2t.reporting.inputs import Given, Inputs
from t2t.reporting.journal import (
    Journal,
    check_finished,
    read_note,
    results,
    told,
    write_note,
)

if TYPE_CHECKING:
    from t2t.trained_model import TrainedModel

log = logging.getLogger(__name__)

Write = Callable[..., None]
Opened = Callable[[str], AbstractContextManager[Write]]

# Flags that do not decide on results, or (--step) are told of in another way.
_ASIDE = {
    *("input", "output", "quiet", "skip_existing", "run", "parser", "passed_on", "batch_size"),
    "step",
    *("coordinator_address", "num_processes", "process_id"),
    *("coordinator_timeout", "heartbeat_timeout"),
}
_CHUNK = 256
_PATIENCE = 86400.0  # seconds; a file may come from tape


def begin(args: argparse.Namespace, inputs: Inputs) -> "tuple[Work, TrainedModel] | None":
    """What this process has to do, and the model for it; None if nothing is left.

    Args:
      args: flags of `add_trained`, `add_processes` and `add_work`.
      inputs: of all jobs, which are read as the model's run did from here on.

    Raises:
      UserError: as `Work` does; if there is no such model.
    """
    prepare_jax()
    join_processes(args)
    work = Work(args, inputs, window_size(args.batch_size))
    if work.is_done:
        return None
    trained = load(args, own_devices=True)
    inputs.read_as_trained(trained.arguments)
    return work, trained


class Work:
    """What this process has to do."""

    def __init__(self, args: argparse.Namespace, inputs: Inputs, window: int):
        """Looks whether it can be done.

        Args:
          args: with the flags of `add_work`.
          inputs: of all jobs.
          window: records that a process works on at a time.

        Raises:
          UserError: on flags that cannot be, an output that cannot be written, or inputs that would
            have to be counted, or read by several processes, and cannot be.
        """
        self.inputs, self.window = inputs, window
        self.index, self.count = jax.process_index(), jax.process_count()
        self._args, self._output, self._shard = args, args.output, shard_of(args)
        self.is_direct = args.output == "-" or not _is_file(Path(args.output))
        self.folder = self._shard.folder(args.output)
        self._check_sharing()
        if args.output != "-":
            _check_writable(args.output)
        for part in () if self.is_direct else self._shard.parts:
            self._check_apart(Path(self._shard.target(args.output, part)))

    def _check_apart(self, target: Path) -> None:
        if target.exists() and self.inputs.come_from(target):
            raise UserError(
                f"'{target}' is read, too, and would be replaced: name another --output, or leave "
                f"it out of --input."
            )

    def _check_sharing(self) -> None:
        reads_pipe = self._args.task is None and "-" in self._args.input
        for flag, is_pipe in (("input", reads_pipe), ("output", self.is_direct)):
            if self.count > 1 and is_pipe:
                raise UserError(
                    f"{self.count} processes share the records, so name a file that all of them "
                    f"reach: --{flag}=FILE."
                )
        if self._shard.num_parts > 1 and self.is_direct:
            raise UserError("Shards and parts are files: name them by --output=FILE.")
        if self._shard.num_parts > 1 and not self.inputs.is_repeatable:
            raise UserError(
                "For shards and parts, records are counted before they are read, which cannot be "
                "done with standard input or a pipe: name files by --input."
            )

    @property
    def prints(self) -> bool:
        """Whether results go to standard output."""
        return self._output == "-"

    @property
    def is_done(self) -> bool:
        """Whether --skip_existing was given, and all is there."""
        if not self._args.skip_existing or self.is_direct or self.folder.exists():
            return False
        return all(Path(self._shard.target(self._output, p)).exists() for p in self._shard.parts)

    @functools.cached_property
    def _total(self) -> int | None:
        """Records of all jobs; None where they need not be counted."""
        if self._shard.num_parts == 1:
            return None
        return min(self.inputs.count(), self._args.num_examples or 2**63)

    def about(self) -> int | None:
        """How many records are left to this process, if that is cheap to tell."""
        parts, most = self._shard.parts, self._args.num_examples
        if self._total is not None:
            about: int | None = self._begin(parts.stop) - self._begin(parts.start)
        else:
            about = self.inputs.about()
            about = min(about, most) if about is not None and most is not None else about
        return None if about is None else max(-(-about // self.count) - self._done(), 0)

    def _done(self) -> int:
        """Records that have results by the notes that were left."""
        done = 0
        for path in self.folder.glob(f"*-{self.index}-of-{self.count}.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):  # told when it is gone on from
                done += json.loads(path.read_text(encoding="utf-8"))["records"]
        return done

    def _begin(self, part: int) -> int:
        """The number of its first record; a window begins there, as it does without parts."""
        assert self._total is not None
        count, size = self._shard.num_parts, self.window * self.count
        number = part * self._total // count
        is_inner = part < count and self._total >= count * size
        return number // size * size if is_inner else number

    def parts(self, settings: Mapping[str, Any]) -> Iterator["Part"]:
        """What is left to do; each part is to be done before the next.

        Args:
          settings: what decides on results beside the flags, as JSON.

        Raises:
          UserError: if another command began and did not end.
        """
        items: Iterator[Given] = itertools.islice(self._read(), self._args.num_examples)
        if self.is_direct:
            yield Part(self, items, self._output, 0, {})
            return
        settings = {**self._settings(), **settings}
        for path in sorted(self.folder.glob("*.json")):
            read_note(path, settings)
        note = read_note(self.folder / "parts.json", settings) or {"finished": 0}
        if self._total is not None:
            first = self._begin(self._shard.parts.start)
            items = itertools.islice(items, first, None)
        for part in self._shard.parts:
            mine, target = items, self._shard.target(self._output, part)
            if self._total is not None:
                mine = itertools.islice(items, self._begin(part + 1) - self._begin(part))
            made = Part(self, mine, target, part, settings)
            if part >= note["finished"]:
                yield made
            elif Path(target).exists():
                made.check()
            else:
                made.forget()
                yield made
        if self.index == 0:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> Iterator[Given]:
        """All records; those of files ahead of their use."""
        if not self.inputs.is_repeatable:
            return iter(self.inputs)
        size = -(-2 * self.window * self.count // _CHUNK)
        chunks = prefetch(_chunks(self.inputs), size, _PATIENCE)
        return itertools.chain.from_iterable(chunks)

    def _settings(self) -> dict[str, Any]:
        flags = vars(self._args).items()
        settings = {f"--{name}": x for name, x in flags if name not in _ASIDE and x}
        if self.count > 1:
            settings["the number of processes"] = self.count
        if self.count > 1 or self._total is not None:  # windows are dealt out by their size
            settings["--batch_size"] = self._args.batch_size
        if self._total is not None:
            settings["the number of records"] = self._total
        return settings

    def meet(self, name: str) -> None:
        """Waits for the other processes."""
        if others := companions.current():
            others.meet(name)


class Part:
    """One file of the output.

    Attributes:
      target: its name.
    """

    def __init__(
        self,
        work: Work,
        items: Iterator[Given],
        target: str,
        number: int,
        settings: Mapping[str, Any],
    ):
        self.target = target
        self._work, self._items, self._number, self._settings = work, items, number, settings

    @contextlib.contextmanager
    def begun(self, opened: Opened) -> Iterator[tuple[Iterator[Given], Write]]:
        """What is left to do, and a function that takes what there is of each record, in order.

        When that is done, what all processes and those before them found out is written to what
        `opened` gives for a path, in the order of the records; `target` appears whole then.

        Raises:
          UserError: if a file cannot be written, or process 0 does not find those of the others.
        """
        work = self._work
        if work.is_direct:
            with opened(self.target) as write:
                yield self._items, write
            return
        with told(self.target):
            work.folder.mkdir(exist_ok=True)
        name = self._name(work.index)
        with Journal(work.folder, name, self._settings, work.window) as journal:
            if journal.records:
                log.info("%s: going on after %s records", self.target, f"{journal.records:,}")
            yield journal.left(self._mine()), journal.write
            journal.finish()
            work.meet(f"written {self.target}")
            if work.index == 0:
                self._join(opened)
                note = work.folder / "parts.json"
                write_note(note, self._settings, finished=self._number + 1)
            work.meet(f"joined {self.target}")
            journal.clear()

    def check(self) -> None:
        """Raises UserError if what is finished was made of other records."""
        check_finished(
            self._work.folder, self._name(self._work.index), self._settings, self._mine()
        )

    def forget(self) -> None:
        """Begins anew what was finished and then taken away."""
        (self._work.folder / f"{self._name(self._work.index)}.json").unlink(missing_ok=True)

    def _name(self, process: int) -> str:
        return f"{self._number:05d}-{process}-of-{self._work.count}"

    def _mine(self) -> Iterator[Given]:
        """Every so many windows one, so that batches stay as they are."""
        work = self._work
        for place, item in enumerate(self._items):
            if place // work.window % work.count == work.index:
                yield item

    def _join(self, opened: Opened) -> None:
        target = Path(self.target).resolve()  # a link is written through
        whole = self._work.folder / f"whole{target.suffix}"
        with told(self.target):
            with opened(str(whole)) as write:
                for result in self._in_order():
                    write(*result)
            whole.replace(target)

    def _in_order(self) -> Iterator[tuple[Any, ...]]:
        names = [self._name(process) for process in range(self._work.count)]
        journals = [results(self._work.folder, name) for name in names]
        for journal in itertools.cycle(journals):
            for _ in range(self._work.window):
                try:
                    yield next(journal)
                except StopIteration:  # the shares are dealt in turn, so none has more
                    return
                except OSError as error:
                    raise UserError(
                        f"Process 0 cannot read '{error.filename}', which another process has "
                        f"written: --output must be in a folder that all processes share."
                    ) from error


def _is_file(path: Path) -> bool:
    """Whether it is, or will be, a file: no pipe, no device."""
    return path.is_file() or not path.exists()


def _check_writable(output: str) -> None:
    path = Path(output)
    if path.is_dir():
        raise UserError(f"Cannot write '{output}': it is a folder.")
    with told(output):
        folder = path.resolve().parent
        folder.stat()
        if not os.access(folder, os.W_OK):
            raise UserError(f"Cannot write '{output}': '{folder}' is not writable.")


def _chunks(items: Iterable[Given]) -> Iterator[list[Given]]:
    """An error comes after the items before it."""
    iterator = iter(items)
    while True:
        chunk: list[Given] = []
        try:
            for item in itertools.islice(iterator, _CHUNK):
                chunk.append(item)
        except Exception:
            if chunk:
                yield chunk
            raise
        if not chunk:
            return
        yield chunk
