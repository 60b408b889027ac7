"""Inputs and predictions as files: text, one per line, or JSON lines."""

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from t2t.decoding.prediction import Prediction, Record
from t2t.errors import UserError
from t2t.reporting.lines import Line, read_lines
from t2t.reporting.whole_files import whole_file


@dataclasses.dataclass(frozen=True)
class Records:
    """Records as they come, each with whether its line was plain text."""

    items: Iterator[tuple[dict, bool]]

    def predicted_by(
        self,
        predict: Callable[[Iterable[Record]], Iterator[Sequence[Prediction]]],
        *,
        scores: bool = False,
        several: bool = False,
    ) -> Iterator[str]:
        """Yields a line per input, in order.

        JSON records come back with a field "prediction" and what else there is to tell of it. In
        plain text, line breaks inside a prediction become spaces, so that lines still correspond.

        Args:
          predict: records to predictions.
          scores: JSON gets "predictions" and "scores"; plain text each score, in front of its
            prediction.
          several: as `scores`, for JSON; in plain text, predictions are divided by tabs.
        """
        inputs, records = itertools.tee(self.items)
        predictions = predict(record for record, _ in inputs)
        for (record, is_text), found in zip(records, predictions, strict=True):
            if is_text:
                yield _as_text(found, scores, several)
            else:
                yield _as_json(record, found, scores or several)


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


def read_inputs(path: str, file_format: str, stack: contextlib.ExitStack) -> Records:
    """Opens `path` ("-" is standard input), to be closed by `stack`.

    Args:
      path: UTF-8 text.
      file_format: "text", "jsonl" (records with a string "inputs"), or "auto" by the first line.
      stack: closes the file.

    Raises:
      UserError: if there is no such file; later, on a line that is not UTF-8 or no such record.
    """
    return Records(_parse(read_lines(path, stack), file_format))


def _parse(lines: Iterable[Line], file_format: str) -> Iterator[tuple[dict, bool]]:
    for line in lines:
        if file_format == "auto":
            file_format = "jsonl" if line.text.lstrip().startswith("{") else "text"
        if file_format == "text":
            yield {"inputs": line.text}, True
            continue
        record = line.record()
        if not isinstance(record.get("inputs"), str):
            raise UserError(f"{line.where} has no string 'inputs'.")
        yield record, False


@contextlib.contextmanager
def open_output(path: str) -> Iterator[Callable[[str], None]]:
    """Yields a function that writes a line; a file appears whole, at the end, or not at all."""
    if path == "-":
        yield lambda line: print(line, flush=True)
        return
    with whole_file(path, "w") as file:
        yield lambda line: print(line, file=file)
