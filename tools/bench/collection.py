"""How long a collection of many small tasks takes from its files to the first batch.

    python tools/bench/collection.py [--tasks 1800] [--examples 100]

Writes JSON Lines files, one a task, registers them with `add_collection`, and draws batches of 128
rows of 256 inputs and 32 targets. Both wall time and CPU time are printed.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from t2t.data.converters import EncDecFeatureConverter
from t2t.data.features import Feature
from t2t.data.pipeline import TrainPipeline
from t2t.data.task_collections import add_collection
from t2t.data.vocabularies import SentencePieceVocabulary
from t2t.paths import shipped

MODEL = shipped("tasks") / "vocabularies" / "sotu_4k.model"
TEXT = "Say in a word or two what this is about: the old man and the sea, and what he did there. "


def main() -> None:
    """Measures, and prints one line for each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1800)
    parser.add_argument("--examples", type=int, default=100, help="of each task")
    args = parser.parse_args()
    words = Feature(SentencePieceVocabulary(str(MODEL), extra_ids=64))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), args.tasks, args.examples)
        features = {"inputs": words, "targets": words}
        mixture = timed("register", lambda: add_collection("bench", folder, features))
        lengths = {"inputs": 256, "targets": 32}
        pipeline = TrainPipeline(mixture, lengths, 128, converter=EncDecFeatureConverter())
        timed("count examples", lambda: pipeline.rates)
        timed("open and check texts", lambda: pipeline.rows)
        batches = pipeline.batches()
        timed("first batch", lambda: next(batches))
        timed("ten more", lambda: [next(batches) for _ in range(10)])


def write(folder: Path, tasks: int, examples: int) -> None:
    """Files of inputs of some 90 tokens."""
    for task in range(tasks):
        lines = (
            json.dumps({"inputs": f"{TEXT * 4}{task} {i}", "targets": f"answer {i}"}) + "\n"
            for i in range(examples)
        )
        (folder / f"task{task:04d}.jsonl").write_text("".join(lines), encoding="utf-8")


def timed(stage: str, call: Callable[[], Any]) -> Any:
    """What it returns; prints how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{stage}: {wall:.2f} s, {cpu:.2f} s of CPU")
    return result


if __name__ == "__main__":
    main()
