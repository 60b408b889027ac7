"""What pages name and a reader has: small runs, checkpoints and files under those names."""

import functools
import gzip
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from t2t import conversion
from t2t.data.vocabularies import ByteVocabulary
from t2t.interop.hugging_face import save_hf
from tests import archives
from tests.commands.imported import LLAMA
from tests.docs.pages import ROOT
from tests.interop.t5_models import random_params, tiny

GOLDEN = ROOT / "tests" / "golden"
VOCABULARY = ByteVocabulary(extra_ids=125)
MODELS = {"t5": tiny(vocab_size=384, head_dim=4), "llama": LLAMA}
TEXT = "the old man and the sea is calm today\n"
MODULE = """
import t2t
text = t2t.Feature(t2t.ByteVocabulary(extra_ids=125))
t2t.TaskRegistry.add(
    "my_task",
    source=t2t.InMemoryDataSource({s: [{"q": "a b", "a": "b"}] * 32 for s in SPLITS}),
    preprocessors=[t2t.text_to_text("{q}", "{a}")],
    output_features={"inputs": text, "targets": text},
    metric_fns=[t2t.exact_match])
""".replace("SPLITS", "('train', 'validation')")
MY_GIN = "include 'models/bytes_tiny.gin'\ninclude 'runs/pretrain.gin'\nMIXTURE = 'quickstart'\n"


def provide(folder: Path, commands: str) -> None:
    """Makes in `folder` what the commands name, and the data that tasks read in its home."""
    for name, make in STAND_INS.items():
        if re.search(rf"(?<![\w./]){re.escape(name)}(?![\w-])", commands):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            make(place)
    data = folder / "home" / ".cache" / "t2t" / "data"
    data.mkdir(parents=True)
    with mock.patch.object(archives, "REVIEWS", REVIEWS):
        archives.write_all(data)


@functools.cache
def _params(model: str):
    return random_params(MODELS[model])


def _hugging_face(model: str, place: Path) -> None:
    save_hf(MODELS[model], _params(model), str(place), VOCABULARY)
    (place / "generation_config.json").write_text('{"suppress_tokens": [3]}')


def _run(model: str, place: Path) -> None:
    source = place.with_name(f"hf_{place.name}")
    _hugging_face(model, source)
    conversion.import_hf(str(source), str(place))


def _t5x(place: Path) -> None:
    """A checkpoint that T5X wrote, of a tiny model."""
    name = "t5_1_1_unrolled_legacy/checkpoint_0"
    with tarfile.open(GOLDEN / "t5x_checkpoints.tar.gz") as archive:
        members = [m for m in archive.getmembers() if m.name.startswith(name)]
        archive.extractall(place, members, filter="data")
    (place / name).rename(place / "checkpoint_1000000")


def _written(text: str) -> Callable[[Path], object]:
    return lambda place: place.write_text(text, encoding="utf-8")


def _reviews(place: Path) -> None:
    place.mkdir()
    with gzip.open(place / "a.jsonl.gz", "wt") as file:
        for i in range(100):
            file.write(json.dumps({"text": f"It broke {i}.", "stars": 1, "product": i}) + "\n")


def _corpus(place: Path) -> None:
    place.mkdir()
    for name in "ab":
        shutil.copy(ROOT / "README.md", place / f"{name}.txt")


def _vocabulary(place: Path) -> None:
    shutil.copy(GOLDEN / "sentencepiece_32k.model", place)


REVIEWS = tuple((i % 7 - 3 or 1.5, f"Film {i} is one of {i % 7}.") for i in range(400))
QUESTIONS = [{"inputs": "correct: recieve"}, {"inputs": "correct: adress"}]
STAND_INS: dict[str, Callable[[Path], object]] = {
    "flan_t5_small": functools.partial(_hugging_face, "t5"),
    "llama_1b": functools.partial(_hugging_face, "llama"),
    "runs/lm": functools.partial(_run, "llama"),
    "runs/large_lm": functools.partial(_run, "llama"),
    "runs/small_lm": functools.partial(_run, "llama"),
    "runs/bert": functools.partial(_run, "t5"),
    "checkpoints_of_t5x": _t5x,
    "vocab.txt": _written("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nit\n"),
    "my_module": lambda place: place.with_suffix(".py").write_text(MODULE),
    "my.gin": _written(MY_GIN),
    "my.model": _vocabulary,
    "corpus": _corpus,
    "held_out.txt": _written(TEXT * 20),
    "reviews": _reviews,
    "questions.txt": _written("correct: recieve\ncorrect: adress\n"),
    "texts.txt": _written(TEXT * 3),
    "questions.jsonl": _written("".join(json.dumps(line) + "\n" for line in QUESTIONS)),
    "texts.jsonl": _written("".join(json.dumps(line) + "\n" for line in QUESTIONS)),
}
