"""Sources that read files: patterns, opening each split once, fingerprints."""

import abc
import functools
import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data.sources.base import DataSource, Example
from t2t.data.sources.cache_folder import uncompressed
from t2t.data.sources.fingerprints import digest, file_facts
from t2t.data.sources.records import FileRecords, RecordFile
from t2t.data.sources.remote_files import fetched_files
from t2t.data.sources.skipped import SkippedRecords, check_on_bad_record
from t2t.errors import UserError, did_you_mean
from t2t.paths import is_remote

FilePatterns = Mapping[str, str | Path | Sequence[str | Path]]
"""Split -> a path or glob, or several."""


class FileDataSource(DataSource):
    """Splits made of files, opened when first needed; gzip is read through a decompressed copy.

    Args:
      split_to_filepattern: a path or glob, or several, per split, local or remote ("s3://…").
        Files of a glob follow each other by name, patterns as given.
      on_bad_record: "raise", or "skip": a malformed record becomes None and is counted in
        `skipped`.

    A sub-class sets `kind` (what messages call a file) and `_settings` (what else decides on the
    examples, for the fingerprint), and defines `_open_file`.
    """

    kind = "File"
    _settings: Sequence[Any] = ()

    def __init__(self, split_to_filepattern: FilePatterns, on_bad_record: str = "raise"):
        if not isinstance(split_to_filepattern, Mapping):
            raise UserError(
                f"{type(self).__name__} takes a file pattern per split, such as "
                f"{{'train': {str(split_to_filepattern)!r}}}."
            )
        self._patterns = {
            split: tuple(str(p) for p in ((given,) if isinstance(given, str | Path) else given))
            for split, given in split_to_filepattern.items()
        }
        self._on_bad_record = check_on_bad_record(on_bad_record)
        self._skipped = SkippedRecords()
        self._opened: dict[str, FileRecords] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._patterns)

    @property
    def skipped(self) -> SkippedRecords:
        return self._skipped

    def files(self, split: str) -> tuple[Path, ...]:
        self._check(split)
        patterns = self._patterns[split]
        return tuple(path for pattern in patterns for path in matching_files(pattern, self.kind))

    def fingerprint(self, split: str) -> str:
        facts = [file_facts(path) for path in self.files(split)]
        return digest(type(self).__name__, self._on_bad_record, self._settings, facts)

    def __getstate__(self):
        return {**self.__dict__, "_opened": {}}

    def _examples(self, split: str) -> Sequence[Example | None]:
        if split not in self._opened:
            open_files = functools.partial(self._open_split, split)
            self._opened[split] = FileRecords(open_files, split, self._on_bad_record, self._skipped)
        return self._opened[split]

    def _open_split(self, split: str) -> list[RecordFile]:
        return [self._open_file(path) for path in self.files(split)]

    @abc.abstractmethod
    def _open_file(self, path: Path) -> RecordFile: ...


def matching_files(pattern: str, kind: str) -> list[Path]:
    """The files of a path or glob, by name; of remote ones ("s3://…") local copies.

    Raises:
      UserError: if there is none, naming the nearest file, or its folder cannot be read.
    """
    if is_remote(pattern):
        return fetched_files(pattern, kind)
    expanded = Path(pattern).expanduser()
    try:
        if expanded.exists():
            return [expanded]  # also where the name has a bracket
        paths = [Path(p) for p in sorted(glob.glob(str(expanded), recursive=True))]
        siblings = []
        if not paths and expanded.parent.is_dir():
            siblings = [path.name for path in expanded.parent.iterdir()]
    except OSError as error:
        raise UserError(f"{kind} '{pattern}' cannot be read: {error.strerror}.") from error
    if not paths:
        hint = did_you_mean(expanded.name, siblings)
        raise UserError(f"{kind} '{pattern}' does not exist.{hint}")
    return paths


def local_file(path: Path, kind: str) -> Path:
    """Returns `path`, or the decompressed copy of a gzip file.

    Raises:
      UserError: if it is a folder, empty, unreadable, or damaged gzip.
    """
    if path.is_dir():
        raise UserError(f"'{path}' is a folder, not a {_lower(kind)}; name the files: '{path}/*'.")
    try:
        local = uncompressed(path)
        size = local.stat().st_size
    except OSError as error:
        raise UserError(f"{kind} '{path}' cannot be read: {error.strerror}.") from error
    if size == 0:
        raise UserError(f"{kind} '{path}' is empty.")
    return local


def _lower(kind: str) -> str:
    return kind if kind[1:2].isupper() else kind[0].lower() + kind[1:]
