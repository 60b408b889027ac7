"""The pieces that a cache is built from: tokens of a fixed run of raw examples, a file each.

A shard appears under its name when it is whole, so an interrupted build goes on with those missing,
and any number of processes or machines can share the work.
"""

import contextlib
import dataclasses
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t2t.data import randomness
from t2t.data.cache.fingerprint import Fingerprint, cached_features
from t2t.data.cache.info import SHARDS, VERSION, split_directory, stored_dtype
from t2t.data.preprocessors import Chain
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.data.tokenization import TokenDict, encode
from t2t.errors import UserError
from t2t.replacing import replacing

EXAMPLES_PER_SHARD = 4096
_CHUNK = 256
_PLAN = "plan.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be built, the same for all processes that build it.

    Attributes:
      root: the output folder; may be remote.
      task, split: what to tokenise.
      raw_examples: number of them.
      examples_per_shard: raw examples of each shard, but for the last.
      fingerprint: of all that decides on the result.
    """

    root: Path
    task: str
    split: str
    raw_examples: int
    examples_per_shard: int
    fingerprint: Fingerprint

    @property
    def directory(self) -> Path:
        """The folder of the split."""
        return split_directory(self.root, self.task, self.split)

    @property
    def shards(self) -> Path:
        """The folder of the shards."""
        return self.directory / SHARDS

    def __len__(self) -> int:
        return -(-self.raw_examples // self.examples_per_shard)

    def range(self, number: int) -> range:
        """Indices of the raw examples of a shard."""
        start = number * self.examples_per_shard
        return range(start, min(start + self.examples_per_shard, self.raw_examples))

    def path(self, number: int) -> Path:
        """The file of a shard."""
        return self.shards / f"{number:06}.npz"

    def missing(self) -> list[int]:
        """Numbers of the shards that are still to be built."""
        present = {path.name for path in self.shards.iterdir()}
        return [number for number in range(len(self)) if self.path(number).name not in present]

    def agree(self) -> "Plan":
        """Writes the plan, or takes up the one that an interrupted build left.

        Raises:
          UserError: if that one has another fingerprint.
        """
        path = self.shards / _PLAN
        if not path.exists():
            self.shards.mkdir(parents=True, exist_ok=True)
            facts = {
                "version": VERSION,
                "raw_examples": self.raw_examples,
                "examples_per_shard": self.examples_per_shard,
                "fingerprint": self.fingerprint.to_json(),
            }
            write_whole(path, json.dumps(facts, indent=2).encode())
            return self
        before = _read_plan(path)
        old = Fingerprint.from_json(before["fingerprint"])
        differences = list(old.differences(self.fingerprint))
        if before["raw_examples"] != self.raw_examples:
            differences.append(
                f"there were {before['raw_examples']:,} raw examples and are {self.raw_examples:,}"
            )
        if before["version"] != VERSION:
            differences.append(f"its format is {before['version']}, this t2t writes {VERSION}")
        if differences or set(old.vocabularies) != set(self.fingerprint.vocabularies):
            raise UserError(
                f"'{self.shards}' holds an unfinished cache of something else: "
                f"{'; '.join(differences) or 'its features differ'}. Delete it, or give another "
                f"--output_dir."
            )
        return dataclasses.replace(self, examples_per_shard=before["examples_per_shard"])


@dataclasses.dataclass
class Shard:
    """Tokens of some examples.

    Attributes:
      tokens: of each feature, all examples one after the other.
      lengths: int64 `[examples]` of each feature.
      characters: of each feature that was text.
      examples, raw, skipped, dropped: as in `CacheInfo`.
    """

    tokens: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    characters: dict[str, int]
    examples: int
    raw: int
    skipped: int
    dropped: int

    @property
    def num_tokens(self) -> int:
        return sum(map(len, self.tokens.values()))

    def to_bytes(self) -> bytes:
        facts = {
            "features": list(self.tokens),
            "characters": self.characters,
            "counts": [self.examples, self.raw, self.skipped, self.dropped],
        }
        arrays = {f"tokens/{name}": array for name, array in self.tokens.items()}
        arrays |= {f"lengths/{name}": array for name, array in self.lengths.items()}
        file = io.BytesIO()
        np.savez(file, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Shard":
        with np.load(io.BytesIO(content)) as arrays:
            facts = json.loads(str(arrays["facts"]))
            names = facts["features"]
            return cls(
                {name: arrays[f"tokens/{name}"] for name in names},
                {name: arrays[f"lengths/{name}"] for name in names},
                facts["characters"],
                *facts["counts"],
            )


def build_shard(task: Task, raw: Sequence[Example | None], plan: Plan, number: int) -> Shard:
    """Tokenises the raw examples of a shard; a preprocessor's `rng` depends on the index alone."""
    features = cached_features(task)
    found: list[TokenDict] = []
    characters: dict[str, int] = {}
    skipped = dropped = 0
    indices = plan.range(number)
    chain = Chain(task.precache_preprocessors)
    for start in range(0, len(indices), _CHUNK):
        chunk = indices[start : start + _CHUNK]
        with task.named_errors():
            given = [raw[index] for index in chunk]
        keys = [randomness.fold(0, plan.split, index) for index in chunk]
        groups = task.preprocess_batch(given, chunk, keys, chain=chain, read_from=raw)
        skipped += sum(example is None for example in given)
        dropped += sum(not group for group in groups)
        texts = [example for group in groups for example in group]
        for name in features:
            strings = [text[name] for text in texts if isinstance(text.get(name), str)]
            if strings:
                characters[name] = characters.get(name, 0) + sum(map(len, strings))
        with task.named_errors():
            found += encode(texts, features)
    dropped -= skipped
    with task.named_errors():
        columns = {n: _column(n, found) for n in features if any(n in e.arrays for e in found)}
        return Shard(
            {n: _stored(n, arrays, stored_dtype(features[n])) for n, arrays in columns.items()},
            {n: np.array(list(map(len, arrays)), np.int64) for n, arrays in columns.items()},
            characters,
            len(found),
            len(indices),
            skipped,
            dropped,
        )


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears under its name only when it is complete and on the disk."""
    with writing(path), replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        flush(file)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes UserErrors of full disks and missing permissions."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Writing '{path}' failed: {error}. Shards that are done are kept: run the same "
            f"command again when this is mended."
        ) from error


def flush(file: Any) -> None:
    """Makes sure that a local file is on the disk; remote ones are when closed."""
    file.flush()
    if isinstance(file, io.BufferedWriter):
        os.fsync(file.fileno())


def _column(name: str, examples: Sequence[TokenDict]) -> list[np.ndarray]:
    """The arrays of one feature; raises UserError unless all examples have it in the same way."""
    if len({name in e.arrays for e in examples}) > 1:
        raise UserError(
            f"some examples have the feature '{name}' and some do not; a cache needs it in all or "
            f"none."
        )
    if len({name in e.without_end for e in examples}) > 1:
        raise UserError(
            f"the feature '{name}' is text in some examples and tokens in others; a cache needs "
            f"one or the other."
        )
    return [e.arrays[name] for e in examples]


def _stored(name: str, arrays: Sequence[np.ndarray], dtype: np.dtype) -> np.ndarray:
    joined = np.concatenate(arrays)
    if dtype.kind == "u" and len(joined):
        low, high = int(joined.min()), int(joined.max())
        if low < 0 or high > np.iinfo(dtype).max:
            raise UserError(
                f"the feature '{name}' has ids from {low} to {high}; its vocabulary allows those "
                f"that fit {dtype.name}."
            )
    return joined.astype(dtype)


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"'{path}' is damaged ({error}). Delete '{path.parent}'.") from error
