"""The site has every page, and a reference of every public name; `make docs` builds it."""

import importlib.util
import re

import pytest
import yaml

from tests.docs.pages import ROOT


def loaded(name):
    """A module of tools/site, which mkdocs loads by its path."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"tools/site/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return loaded("reference").pages(ROOT)


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    pages = re.findall(r"[\w/]+\.md", text)
    assert len(pages) == len(set(pages))
    assert set(pages) == {path.name for path in (ROOT / "docs").glob("*.md")}


def test_nothing_comes_from_another_address():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["theme"]["font"] is False
    assert "http" not in str({key: settings[key] for key in ("extra", "extra_css", "theme")})


def test_the_reference_has_every_package_and_name(reference):
    packages = [path.parent for path in (ROOT / "t2t").rglob("__init__.py")]
    for package in packages:
        dotted = ".".join(package.relative_to(ROOT).parts)
        assert f"{dotted}.md" in reference, dotted
    index = reference["index.md"]
    for name in (
        "t2t.data.tasks.Task",
        "t2t.models.attention.Attention",
        "t2t.training.loop.train",
        "t2t.trained.load_trained",
    ):
        assert f"[{name}]" in index
        assert f"::: {name.rpartition('.')[0]}\n" in "".join(reference.values())
    assert not re.search(r"\]\[[\w.]*\._\w+\]", index)


def test_flags_are_whole_and_tags_as_they_are():
    html = '<!-- --no --><code title="--no">t2t --gin.train.seed=1</code> a--b'
    made = loaded("hooks").on_page_content(html, page=None, config=None, files=None)
    assert made == html.replace("--gin.train.seed", '<span class="flag">--gin.train.seed</span>')
