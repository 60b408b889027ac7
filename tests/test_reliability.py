"""Every promise of docs/reliability.md has a test."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def promises():
    """(sentence, path, name of a test) of each row of the table."""
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.split("## What is promised")[1].split("\n\n")[1]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    found = []
    for sentence, test in rows:
        path, name = re.fullmatch(r" `(tests/[\w/]+\.py)::(test_\w+)` ", test).groups()
        found.append((sentence.strip(), path, name))
    return found


def test_there_are_promises():
    assert len(promises()) >= 15
    assert all(sentence.endswith(".") for sentence, _, _ in promises())


@pytest.mark.parametrize(("sentence", "path", "name"), promises())
def test_every_promise_has_a_test(sentence, path, name):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert name in tests, sentence
