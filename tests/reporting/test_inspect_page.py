"""`t2t inspect --html`: what the page holds, and that it needs nothing else."""

import html.parser
import re

import pytest

from t2t.cli import main
from t2t.data.mixtures import Mixture
from t2t.reporting.html.markup import tag, text
from t2t.reporting.inspection import Settings, collect
from t2t.reporting.inspection.page import page
from tests.reporting import inspection_tasks as tasks

_EMPTY = {"meta"}


class Reader(html.parser.HTMLParser):
    """Notes every element with its classes, what it holds, and that all are closed in order."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in _EMPTY:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.texts.append(data)

    def of_class(self, name):
        return [a for _, a in self.elements if name in (a.get("class") or "").split()]


def made(item, split="train", **settings):
    return page(collect(item, Settings(split, tasks.LENGTHS, **settings)))


@pytest.fixture(scope="module")
def nested_page():
    return made(tasks.nested(), count=2, sample=60)


def test_everything_is_there(nested_page):
    read = Reader(nested_page)
    words = " ".join(read.texts)
    for expected in (
        "Composition",
        "Packing",
        "Documents",
        "Segments",
        "Examples",
        "Token lengths",
    ):
        assert expected in words
    for kind in ("sentinel", "noise", "eos", "pad", "loss", "shares", "bar", "loss-line", "bin"):
        assert read.of_class(kind), kind
    assert sum(name == "svg" for name, _ in read.elements) == 2 + 3 + 2
    assert len(read.of_class("batch-row")) == 4 * (1 + 8)
    assert "50.0%" in words
    assert "37.5%" in words


def test_hovering_a_chip_tells_piece_id_and_loss(nested_page):
    titles = [a["title"] for a in Reader(nested_page).of_class("chip") if "title" in a]
    assert "'<extra_id_0>' · id 278 · sentinel · loss weight 1" in titles
    assert "'</s>' · id 1 · eos" in titles
    assert any(t.endswith("· taken out or changed by the objective") for t in titles)


def test_it_needs_no_network_and_no_scripts(nested_page):
    read = Reader(nested_page)
    names = {name for name, _ in read.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"https?://|url\(|@import|src=", nested_page)
    [policy] = [a["content"] for n, a in read.elements if n == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in policy


def test_examples_are_text_whatever_they_hold():
    nasty = f"{tasks.SCRIPT}\"'><b onclick=x>&amp; \ud800 \x00 \u202e"

    def put(example):
        return {"question": nasty, "answer": f"</style>{nasty}"}

    task = tasks.supervised('a"><b>', put, count=3)
    source = made(task, count=1, sample=3)
    read = Reader(source)
    assert not {name for name, _ in read.elements} & {"script", "b onclick"}
    assert all("onclick" not in a for _, a in read.elements)
    assert "&lt;script&gt;alert(1)" in source
    source.encode("utf-8")


def test_a_failing_stage_is_on_the_page():
    source = made(tasks.supervised("t", tasks.fail_on_seven), count=1, sample=60)
    read = Reader(source)
    assert len(read.of_class("error")) == 2  # at the top, and where it happened
    assert source.count("preprocessor 1 of 2, fail_on_seven") == 2
    assert "no &lt;seven&gt; here" in source


def test_a_part_without_the_split_is_named():
    source = made(tasks.nested(), split="validation", count=1)
    assert source.count("no such split: left out") == 3


def test_a_mixture_of_many_tasks_reuses_colours():
    many = Mixture("many", tuple((tasks.supervised(f"t{i}", count=4), 1.0) for i in range(11)))
    words = made(many, count=0)
    assert 'class="c7"' in words
    assert 'class="c8"' not in words


def test_markup_escapes_what_is_not_markup():
    assert tag("p", "<b>", tag("i", "&"), title='"') == (
        '<p title="&quot;">&lt;b&gt;<i>&amp;</i></p>'
    )
    assert tag("a", class_="x", aria_label="y", href=None) == '<a class="x" aria-label="y"></a>'
    assert text("\ud800") == "\\ud800"


def test_the_page_appears_whole_or_not_at_all(tmp_path, capsys):
    out = tmp_path / "page.html"
    words = ["inspect", "spelling", "--sample=20", "--count=1"]
    assert main([*words, f"--html={out}"]) == 0
    assert out.read_text().startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    capsys.readouterr()
    assert main(["inspect", "spelling", "--split=tran", f"--html={tmp_path / 'no.html'}"]) == 1
    assert "Did you mean 'train'" in " ".join(capsys.readouterr().err.split())
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert main([*words, f"--html={tmp_path / 'missing' / 'page.html'}"]) == 1
    assert "Cannot write" in " ".join(capsys.readouterr().err.split())
