"""Names, headings and files that pages speak of exist."""

import re

import pytest

from t2t.cli import main
from tests.docs.pages import PAGES, ROOT, blocks, by_page


@by_page
def test_commands_exist(page, capsys):
    text = page.read_text(encoding="utf-8")
    for command in sorted(set(re.findall(r"(?:^ *|`)t2t ([a-z_]+)", text, flags=re.MULTILINE))):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0, command


@by_page
def test_links_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("reference/"):  # those the site makes
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


def test_files_that_the_map_of_the_code_names_exist():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 50
    named = [path for row in rows for path in paths(row)]
    assert len(named) > 150
    for path in map(ROOT.joinpath, named):
        assert path.exists() or path.parent.with_name(path.name).exists(), path


def paths(row):
    """Paths in a row: a name without a folder is in that of the one before it, or beside it."""
    folder = ""
    for span in re.findall(r"`([\w/{},.*-]+)`", row.rstrip("|").rsplit(" | ", 1)[1]):
        prefix, chosen, suffix = re.fullmatch(r"([^{]*)(?:\{(.*)\})?(.*)", span).groups()
        for name in chosen.split(",") if chosen else [""]:
            path = prefix + name + suffix
            if "/" not in path:
                if not path.endswith(".py"):
                    continue
                path = f"{folder}/{path}"
            yield path
        if "/" in span:
            folder = prefix.rpartition("/")[0]


def test_every_package_is_on_the_map():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for package in (ROOT / "t2t").rglob("__init__.py"):
        name = package.parent.relative_to(ROOT).as_posix()
        assert name == "t2t" or f"`{'/'.join(name.split('/')[:2])}/" in text, name


def test_blocks_of_all_kinds_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Text:\n\n    t2t train\n\n* a list\n\n    goes on\n\n"
        "<!-- needs: the network -->\n```bash\npip install x\n\nmake y\n```\n\n"
        "```\nwho knows\n```\n"
    )
    first, second, third = blocks(page)
    assert (first.text, first.is_command, first.line) == ("t2t train\n", True, 3)
    assert (second.text, second.needs) == ("pip install x\n\nmake y\n", "the network")
    assert (third.is_command, third.language) == (False, "")


def test_pages_are_many():
    assert len(PAGES) > 25
