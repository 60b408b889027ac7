"""Data inside packages that pip, npm and apt bring, read where they lie: none is imported or run.

A package is looked for among what is installed, if it is Python's, then as a downloaded file in the
folder `$T2T_DATA_DIR`, by default `~/.cache/t2t/data`.
"""

import dataclasses
import fnmatch
import importlib.metadata
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class Archive:
    """One package.

    Attributes:
      fetch: command that downloads it into the current folder.
      file: pattern of the downloaded file: a wheel, zip, tar or Debian package.
      distribution: its name, if installing it with pip serves too.
    """

    fetch: str
    file: str
    distribution: str | None = None

    def read(self, pattern: str) -> dict[str, bytes]:
        """The content of its files whose path ends in `pattern`, by path, in order of paths.

        Raises:
          UserError: if it is not there, with the command that fetches it, or has no such file.
        """
        wanted = f"*/{pattern}"
        found = self._installed(wanted) or self._downloaded(wanted)
        return dict(sorted(found.items()))

    def _installed(self, wanted: str) -> dict[str, bytes]:
        if self.distribution is None:
            return {}
        try:
            files = importlib.metadata.files(self.distribution) or []
        except importlib.metadata.PackageNotFoundError:
            return {}
        chosen = [path for path in files if fnmatch.fnmatchcase(f"/{path}", wanted)]
        return {str(path): path.read_binary() for path in chosen}

    def _downloaded(self, wanted: str) -> dict[str, bytes]:
        folder = data_folder()
        paths = sorted(folder.glob(self.file))
        if not paths:
            raise UserError(
                f"The data is in '{self.file}', which is not in {folder}. Fetch it with `mkdir -p "
                f"{folder} && cd {folder} && {self.fetch}`, or name another folder: T2T_DATA_DIR."
            )
        found = read_archive(paths[-1], lambda path: fnmatch.fnmatchcase(f"/{path}", wanted))
        if not found:
            raise UserError(
                f"{paths[-1]} has no file '{wanted}': another version? `cd {folder} && "
                f"{self.fetch}` fetches the tested one."
            )
        return found


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
