"""The tasks of the guides do what the guides say; names of the port guide exist."""

import ast
import dataclasses
import importlib
import re

import numpy as np
import pytest

from t2t.data.registry import get_mixture_or_task
from t2t.data.rows import open_rows
from t2t.data.sources import InMemoryDataSource
from tests.docs import stand_ins
from tests.docs.pages import ROOT, blocks

PORT_GUIDE, TASK_GUIDE = [ROOT / "docs" / f"{name}.md" for name in ("from_seqio", "tasks")]


def run(page):
    """Runs the Python of a page; SeqIO's has to be well-formed only."""
    for block in blocks(page):
        if "import seqio" in block.text:
            ast.parse(block.text, block.place)
        elif block.language == "python":
            exec(compile(block.text, block.place, "exec"), {"__name__": "snippet"})


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A working folder with what the guides name."""
    stand_ins.provide(tmp_path, "my.model corpus held_out.txt reviews")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.usefixtures("files", "forgotten")
def test_tasks_of_the_guide_have_rows_in_every_split():
    run(TASK_GUIDE)
    mixture = get_mixture_or_task("proportional")
    for task in mixture.tasks:
        for split in task.splits:
            assert len(open_rows(task, split, {"inputs": 64, "targets": 32}))
    assert mixture.total_rate > 0


@pytest.mark.usefixtures("files", "forgotten")
def test_ported_translation_task():
    run(PORT_GUIDE)
    pairs = [{"en": "Good Morning.", "de": "Guten Morgen."}, {"en": "Taxi", "de": "Taxi"}]
    task = get_mixture_or_task("wmt_ende").replace(source=InMemoryDataSource({"train": pairs}))
    rows = open_rows(task, "train", {"inputs": 32, "targets": 2})
    keys = np.arange(100, dtype=np.uint64)
    made = [example for [example] in rows.texts([0] * 100, keys)]
    assert {example["targets"] for example in made} == {"Guten Morgen."}
    assert {example["inputs"] for example in made} == {
        "translate English to German: Good Morning.",
        "translate english to german: good morning.",
    }
    assert 0 < sum("Good" not in example["inputs"] for example in made) < 50
    assert rows.units([1], keys[:1]) == [[]]
    [[tokens]] = rows.units([0], keys[:1])
    assert len(tokens["targets"]) == 2
    assert tokens["targets"][-1] == 1


@pytest.mark.usefixtures("files", "forgotten")
def test_ported_c4_task_has_the_lengths_of_t5():
    run(PORT_GUIDE)
    document = {"text": "the old man and the sea is calm today " * 500}
    source = InMemoryDataSource({"train": [document]})
    task = get_mixture_or_task("my_c4").replace(source=source)
    rows = open_rows(task, "train", {"inputs": 512, "targets": 114})
    [[unit]] = rows.units([0], np.zeros(1, np.uint64))
    [example] = rows.examples([unit], np.zeros(1, np.uint64))
    assert {name: len(tokens) for name, tokens in example.items()} == {
        "inputs": 512,
        "targets": 114,
    }


def rows_of_the_port_guide():
    """The cells of each row of its tables of names, without headings."""
    text = PORT_GUIDE.read_text(encoding="utf-8").split("## Every name")[1]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if row[1] not in ("t2t", "---")]


def resolve(name):
    """The object of a dotted name; a dataclass's field too. Raises AttributeError."""
    found, parts = importlib.import_module("t2t"), name.split(".")[1:]
    for i, part in enumerate(parts):
        fields = dataclasses.fields(found) if dataclasses.is_dataclass(found) else ()
        if part in [field.name for field in fields]:
            return None
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(["t2t", *parts[: i + 1]]))
            except ModuleNotFoundError as error:
                raise AttributeError(f"there is no '{name}'") from error
        found = getattr(found, part)
    return found


def test_names_of_the_port_guide_exist():
    rows = rows_of_the_port_guide()
    names = {name for row in rows for name in re.findall(r"`(t2t\.[\w.]+)`", "|".join(row[1:]))}
    assert len(names) > 150
    for name in sorted(names):
        resolve(name)


def test_resolving_notices_a_wrong_name():
    for name in ("t2t.data.tasks.Tusk", "t2t.data.nothing", "t2t.data.tasks.Task.nothing"):
        with pytest.raises(AttributeError):
            resolve(name)


def test_rows_of_the_port_guide_have_a_counterpart_or_none():
    for row in rows_of_the_port_guide():
        assert len(row) == 3, row
        assert row[1] == "no counterpart" or row[1].startswith("`t2t."), row
        assert row[2] or row[1] != "no counterpart", row
