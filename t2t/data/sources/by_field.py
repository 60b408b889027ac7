"""The examples of a source that have one value of a field: one task of many in the same files."""

import collections
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from t2t.data.sources.base import DataSource, Example
from t2t.data.sources.cache_folder import cache_folder, written_atomically
from t2t.data.sources.fields import no_such_field
from t2t.data.sources.fingerprints import digest
from t2t.data.sources.skipped import SkippedRecords
from t2t.data.sources.truncated import Selection
from t2t.errors import UserError, did_you_mean

_KEPT_FROM = 1 << 16


class FieldIndex:
    """Which examples of a source have which value of a field.

    A split is read once, when first asked about; of more than 65,536 examples the result is kept in
    the cache folder. One index serves the sources of all values.

    Args:
      source: of all examples.
      field: whose values, as text, tell the examples apart.
    """

    def __init__(self, source: DataSource, field: str):
        self.source, self.field = source, field
        self._found: dict[str, Mapping[str, np.ndarray]] = {}

    def __getstate__(self):
        return {**self.__dict__, "_found": {}}

    def __getitem__(self, split: str) -> Mapping[str, np.ndarray]:
        """Value -> int64 indices of its examples, ascending.

        Raises:
          UserError: if an example lacks the field, or the cache folder cannot be written.
        """
        if split not in self._found:
            examples = self.source.examples(split)
            if len(examples) < _KEPT_FROM:
                self._found[split] = self._find(examples)
            else:
                name = digest("field_index", self.source.fingerprint(split), self.field)
                self._found[split] = self._kept(examples, cache_folder() / "fields" / name)
        return self._found[split]

    def _kept(self, examples: Sequence[Example | None], path: Path) -> Mapping[str, np.ndarray]:
        counts, order = path.with_suffix(".json"), path.with_suffix(".int64")
        if not counts.exists():
            found = self._find(examples)
            try:
                with written_atomically(order) as file:
                    for indices in found.values():
                        file.write(indices.astype("<i8").tobytes())
                with written_atomically(counts) as file:
                    file.write(json.dumps({v: len(i) for v, i in found.items()}).encode())
            except OSError as error:
                raise UserError(
                    f"Which examples belong to which '{self.field}' cannot be written to "
                    f"'{path.parent}': {error.strerror}. Set T2T_CACHE_DIR to another folder."
                ) from error
        sizes = json.loads(counts.read_text())
        ends = np.cumsum(list(sizes.values()))[:-1]
        return dict(zip(sizes, np.split(np.memmap(order, "<i8", "r"), ends), strict=True))

    def _find(self, examples: Sequence[Example | None]) -> dict[str, np.ndarray]:
        found: dict[str, list[int]] = collections.defaultdict(list)
        for index in range(len(examples)):
            example = examples[index]
            if example is None:
                continue  # a skipped record
            if self.field not in example:
                raise UserError(f"Example {index + 1:,} {no_such_field(self.field, example)}")
            found[str(example[self.field])].append(index)
        return {value: np.array(indices, np.int64) for value, indices in found.items()}


class ByFieldDataSource(DataSource):
    """The examples of the index's source whose field has one value, in every split.

    Raises:
      UserError: when first needed, if no example of the split has it, with the nearest that occurs.
    """

    def __init__(self, index: FieldIndex, value: str):
        self._index, self._value = index, value

    @property
    def splits(self) -> tuple[str, ...]:
        return self._index.source.splits

    @property
    def skipped(self) -> SkippedRecords:
        return self._index.source.skipped

    def files(self, split: str) -> tuple[Path, ...]:
        return self._index.source.files(split)

    def fingerprint(self, split: str) -> str:
        self._check(split)
        of_all = self._index.source.fingerprint(split)
        return digest("by_field", of_all, self._index.field, self._value)

    def _examples(self, split: str) -> Sequence[Example | None]:
        found = self._index[split]
        if self._value not in found:
            raise UserError(
                f"No example of the split '{split}' has the {self._index.field} '{self._value}'."
                + did_you_mean(self._value, found)
            )
        return Selection(self._index.source.examples(split), found[self._value])
