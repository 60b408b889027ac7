"""Data sets prepared by the TensorFlow Datasets library, read without TensorFlow."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data.sources.array_record import ArrayRecordFile
from t2t.data.sources.base import DataSource, Example
from t2t.data.sources.fingerprints import digest, file_facts
from t2t.data.sources.records import DecodedFile, FileRange, FileRecords, RecordFile
from t2t.data.sources.skipped import SkippedRecords, check_on_bad_record
from t2t.data.sources.tfds_features import TfdsDecoder
from t2t.data.sources.tfds_folders import TfdsSplit, prepared_folder
from t2t.data.sources.tfrecord import TFRecordFile
from t2t.errors import UserError, did_you_mean
from t2t.optional import optional_import

_READERS = {"array_record": ArrayRecordFile, "tfrecord": TFRecordFile}


class TfdsDataSource(DataSource):
    """A prepared data set of TFDS, as ArrayRecord or TFRecord; nothing is downloaded.

    Texts are `str`; all other features are as TFDS gives them (arrays, lists, integers for class
    labels).

    Args:
      tfds_name: `name[/config]:version`, or several versions, "name:1.0.0|2.0.0", of which the
        first that is prepared is read; without it, every split is a `TfdsSplit`.
      splits: which splits there are: names; or a mapping from names to TFDS splits and slices
        ("train[:90%]") or `TfdsSplit`s; None for those of the data set.
      tfds_data_dir: the folder of prepared data sets; None for $TFDS_DATA_DIR, or
        ~/tensorflow_datasets.
      on_bad_record: "raise" or "skip".

    Raises:
      UserError: if a name lacks its version; when first needed, if the data are not prepared, with
        the folder and the command that prepares them.
    """

    def __init__(
        self,
        tfds_name: str | None = None,
        splits: Sequence[str] | Mapping[str, str | TfdsSplit] | None = None,
        tfds_data_dir: str | Path | None = None,
        on_bad_record: str = "raise",
    ):
        self._name, self._data_dir = tfds_name, tfds_data_dir
        if isinstance(splits, str):
            raise UserError(f"splits are several names, such as [{splits!r}].")
        if splits is not None and not isinstance(splits, Mapping):
            splits = {split: split for split in splits}
        self._splits = None if splits is None else {k: self._located(v) for k, v in splits.items()}
        if splits is None and tfds_name is None:
            raise UserError("TfdsDataSource needs a tfds_name, or splits that are TfdsSplits.")
        for located in (self._splits or {"": self._located("")}).values():
            _check_version(located.dataset)
        self._on_bad_record = check_on_bad_record(on_bad_record)
        self._skipped = SkippedRecords()
        self._opened: dict[str, FileRecords] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    @property
    def skipped(self) -> SkippedRecords:
        return self._skipped

    def files(self, split: str) -> tuple[Path, ...]:
        self._check(split)
        return tuple(Path(part.filename) for part in self._parts(split))

    def fingerprint(self, split: str) -> str:
        facts = [file_facts(path) for path in self.files(split)]
        ranges = [(part.skip, part.take) for part in self._parts(split)]
        return digest("tfds", self._on_bad_record, facts, ranges)

    def __getstate__(self):
        return {**self.__dict__, "_opened": {}}

    @property
    def _by_name(self) -> Mapping[str, TfdsSplit]:
        if self._splits is None:
            self._splits = {s: self._located(s) for s in self._info(self._located("")).splits}
        return self._splits

    def _located(self, split: str | TfdsSplit) -> TfdsSplit:
        if isinstance(split, TfdsSplit):
            return split
        if self._name is None:
            raise UserError(f"The split '{split}' needs a tfds_name, or to be a TfdsSplit.")
        return TfdsSplit(self._name, split, self._data_dir)

    def _examples(self, split: str) -> Sequence[Example | None]:
        if split not in self._opened:
            open_files = functools.partial(self._open_split, split)
            self._opened[split] = FileRecords(open_files, split, self._on_bad_record, self._skipped)
        return self._opened[split]

    def _info(self, split: TfdsSplit) -> Any:
        return _dataset_info(prepared_folder(split.dataset, split.data_dir))

    def _parts(self, split: str) -> Sequence[Any]:
        """Which records of which files make the split: TFDS's file instructions."""
        located = self._by_name[split]
        there = self._info(located).splits
        try:
            return there[located.split].file_instructions
        except (KeyError, ValueError) as error:
            base = located.split.split("[")[0]
            raise UserError(
                f"The TFDS data set '{located.dataset}' has no split '{located.split}', only "
                f"{', '.join(map(repr, there))} and slices of them." + did_you_mean(base, there)
            ) from error

    def _open_split(self, split: str) -> list[RecordFile]:
        located = self._by_name[split]
        info = self._info(located)
        file_format = info.file_format.value
        if file_format not in _READERS:
            raise UserError(
                f"The TFDS data set '{located.dataset}' is prepared as {file_format}, which cannot "
                f"be read in any order. Prepare it with file_format='array_record'."
            )
        decode = TfdsDecoder(info.features)
        opened: list[RecordFile] = []
        for part in self._parts(split):
            file = _READERS[file_format](Path(part.filename))
            if len(file) != part.examples_in_shard and not file.bad:
                raise UserError(
                    f"{file.kind} '{file.path}' has {len(file):,} records, but by "
                    f"dataset_info.json it has {part.examples_in_shard:,}: it is cut off, or from "
                    f"another version. Prepare '{located.dataset}' again."
                )
            count = max(0, min(part.take, len(file) - part.skip))
            opened.append(FileRange(DecodedFile(file, decode), part.skip, count))
        return opened


def _check_version(dataset: str) -> None:
    if ":" not in dataset:
        raise UserError(
            f"The TFDS name '{dataset}' lacks its version, without which the data may change: "
            f"'{dataset}:1.0.0', for example."
        )


@functools.lru_cache(maxsize=256)
def _dataset_info(folder: Path) -> Any:
    tfds = optional_import("tensorflow_datasets", "Reading TFDS data sets", extra="tfds")
    return tfds.builder_from_directory(folder).info
