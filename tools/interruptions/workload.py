"""Tasks to be interrupted in, and a record of every batch that is built of them."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import gin
from t2t.data.converters import Batch, EncDecFeatureConverter
from t2t.data.converters.base import TokenExample
from t2t.data.features import Feature, SequenceLength
from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import rekey, text_to_text
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import FunctionDataSource
from t2t.data.vocabularies import ByteVocabulary
from t2t.evaluation.metrics import exact_match

RECORDS = "INTERRUPTIONS_RECORDS"
"""Environment variable: the folder for one file per process, `<pid>`, a line per batch."""

DIGEST = 16
"""Characters per row on a line."""

_FEATURE = Feature(ByteVocabulary(extra_ids=100))
_FEATURES = {"inputs": _FEATURE, "targets": _FEATURE}


def _words(split: str) -> list[dict[str, str]]:
    first, count = (0, 3000) if split == "train" else (3000, 40)
    return [{"word": f"{7919 * n % 10007}"} for n in range(first, first + count)]


def _texts(split: str) -> list[dict[str, str]]:
    words = [example["word"] for example in _words(split)]
    return [{"text": " ".join(words[at : at + 20])} for at in range(0, len(words), 20)]


def _register() -> None:
    splits = ["train", "validation"]
    for name, line in (("copied", "{word}"), ("twice", "{word} {word}")):
        TaskRegistry.add(
            f"interruptions_{name}",
            source=FunctionDataSource(_words, splits=splits),
            preprocessors=[text_to_text(f"{name}: {{word}}", line)],
            output_features=_FEATURES,
            metric_fns=[exact_match],
        )
    TaskRegistry.add(
        "interruptions_spans",
        source=FunctionDataSource(_texts, splits=splits),
        preprocessors=[rekey({"targets": "text"})],
        objective=SpanCorruption(),
        output_features=_FEATURES,
    )
    rates = {"copied": 3.0, "twice": 2.0, "spans": 1.0}
    MixtureRegistry.add(
        "interruptions", [(f"interruptions_{name}", rate) for name, rate in rates.items()]
    )


@gin.configurable
@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedConverter(EncDecFeatureConverter):
    """Adds a line to the record for each batch of training: a digest of every row.

    Batches of evaluation, which are not packed, are left out.
    """

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        batch = super().convert_rows(rows, lengths)
        if self.pack:
            arrays = [array for _, array in sorted(batch.items())]
            digests = [
                hashlib.sha256(b"".join(array[at].tobytes() for array in arrays)).hexdigest()
                for at in range(len(rows))
            ]
            record = Path(os.environ[RECORDS]) / str(os.getpid())
            with record.open("a") as file:
                file.write("".join(digest[:DIGEST] for digest in digests) + "\n")
        return batch


_register()
