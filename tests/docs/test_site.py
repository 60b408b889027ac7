"""The site has every page, and a reference of every public name; `make docs` builds it."""

import importlib.util
import re
from types import SimpleNamespace

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


def test_lines_end_in_names_and_not_in_flags():
    html = '<!-- --no --><code title="--no">t2t --gin.train.seed=1</code> a--b <i>t2t.data.rows</i>'
    made = loaded("hooks").on_page_content(html, page=None, config=None, files=None)
    flag, name = "--gin.train.seed", "t2t.data.rows"
    html = html.replace(flag, f'<span class="flag">{flag}</span>')
    assert made == html.replace(name, "t2t.<wbr>data.<wbr>rows")


def test_code_in_tables_has_no_backslashes():
    page = SimpleNamespace(file=SimpleNamespace(src_uri="tasks.md"))
    text = "| a | b |\n|---|---|\n| `x\\|y` | \\| [z](../Makefile) |\n\n`x\\|y`\n"
    made = loaded("hooks").on_page_markdown(text, page, config=None, files=None)
    table = text.replace("`x\\|y` |", "`x|y` |")
    assert made == table.replace("../Makefile", "repository/Makefile.md")
