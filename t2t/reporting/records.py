"""Predictions as files: text, one per line, or JSON lines."""

import contextlib
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from t2t.decoding.prediction import Prediction, Record
from t2t.reporting.inputs import Given
from t2t.reporting.whole_files import whole_file


def predicted_lines(
    items: Iterator[Given],
    predict: Callable[[Iterable[Given]], Iterator[Sequence[Prediction]]],
    *,
    scores: bool = False,
    several: bool = False,
) -> Iterator[str]:
    """Yields a line per input, in order.

    JSON records come back with a field "prediction" and what else there is to tell of it. In plain
    text, line breaks inside a prediction become spaces, so that lines still correspond.

    Args:
      items: what was read.
      predict: what was read to predictions.
      scores: JSON gets "predictions" and "scores"; plain text each score, in front of its
        prediction.
      several: as `scores`, for JSON; in plain text, predictions are divided by tabs.
    """
    inputs, given = itertools.tee(items)
    for item, found in zip(given, predict(inputs), strict=True):
        if item.is_text:
            yield _as_text(found, scores, several)
        else:
            yield _as_json(item.record, found, scores or several)


def _as_text(predictions: Sequence[Prediction], scores: bool, several: bool) -> str:
    if not scores and not several:
        return _one_line(predictions[0].text)
    cells = []
    for prediction in predictions:
        cells += [f"{prediction.score:.4f}"] if scores else []
        cells.append(_one_line(prediction.text).replace("\t", " "))
    return "\t".join(cells)


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _as_json(record: Record, predictions: Sequence[Prediction], every: bool) -> str:
    best = predictions[0]
    fields = {**record, "prediction": best.text, **best.details}
    if every:
        fields["predictions"] = [prediction.text for prediction in predictions]
        fields["scores"] = [round(prediction.score, 6) for prediction in predictions]
    return json.dumps(fields, ensure_ascii=False)


@contextlib.contextmanager
def open_output(path: str) -> Iterator[Callable[[str], None]]:
    """Yields a function that writes a line; a file appears whole, at the end, or not at all.

    What ends in ".gz" is compressed.
    """
    if path == "-":
        yield lambda line: print(line, flush=True)
    elif path.endswith(".gz"):
        with whole_file(path, "wb") as raw:
            packed = gzip.GzipFile("", "wb", 6, raw, mtime=0)  # of the same lines the same bytes
            with io.TextIOWrapper(packed, "utf-8") as file:
                yield lambda line: print(line, file=file)
    else:
        with whole_file(path, "w") as file:
            yield lambda line: print(line, file=file)
