"""What the documentation says is there: its Python runs, its names, commands and links exist."""

import ast
import dataclasses
import gzip
import importlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from t2t.cli import main
from t2t.data.registry import MixtureRegistry, TaskRegistry, get_mixture_or_task
from t2t.data.rows import open_rows
from t2t.data.sources import InMemoryDataSource

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PORT_GUIDE, TASK_GUIDE, *OTHERS = [
    ROOT / "docs" / f"{name}.md"
    for name in ("from_seqio", "tasks", "objectives", "metrics", "generation")
]


def by_page(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


def snippets(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def run(page):
    """Runs the Python of a page, each snippet by itself; SeqIO's has to be well-formed only."""
    for number, code in enumerate(snippets(page), 1):
        place = f"{page.name}, Python snippet {number}"
        if "import seqio" in code:
            ast.parse(code, place)
        else:
            exec(compile(code, place, "exec"), {"__name__": "snippet"})


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A working folder with what the pages name."""
    shutil.copy(ROOT / "tests" / "golden" / "sentencepiece_32k.model", tmp_path / "my.model")
    for name in ("corpus/a.txt", "corpus/b.txt", "held_out.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("the old man and the sea is calm today\n" * 20)
    (tmp_path / "reviews").mkdir()
    with gzip.open(tmp_path / "reviews" / "a.jsonl.gz", "wt") as file:
        for i in range(100):
            file.write(json.dumps({"text": f"It broke {i}.", "stars": 1, "product": i}) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def registries():
    """Forgets what a page registers."""
    before = [(registry, set(registry.names())) for registry in (TaskRegistry, MixtureRegistry)]
    yield
    for registry, names in before:
        for name in set(registry.names()) - names:
            registry.remove(name)


@by_page([PORT_GUIDE, TASK_GUIDE, *OTHERS])
@pytest.mark.usefixtures("files", "registries")
def test_python_runs(page):
    run(page)


@pytest.mark.usefixtures("files", "registries")
def test_tasks_of_the_guide_have_rows_in_every_split():
    run(TASK_GUIDE)
    mixture = get_mixture_or_task("proportional")
    for task in mixture.tasks:
        for split in task.splits:
            assert len(open_rows(task, split, {"inputs": 64, "targets": 32}))
    assert mixture.total_rate > 0


@pytest.mark.usefixtures("files", "registries")
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


@pytest.mark.usefixtures("files", "registries")
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


@by_page(PAGES)
def test_commands_exist(page, capsys):
    text = page.read_text(encoding="utf-8")
    for command in sorted(set(re.findall(r"(?:^ *|`)t2t ([a-z]+)", text, flags=re.MULTILINE))):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0, command


@by_page(PAGES)
def test_links_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if heading:
            assert heading in headings(linked), target


def headings(page):
    """Anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
