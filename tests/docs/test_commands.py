"""Every block of every page is run, in order, in a folder per page; what is marked is checked."""

import ast
import contextlib
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest

from t2t import config
from tests.docs import checked, executed, stand_ins
from tests.docs.pages import LANGUAGES, NEEDS, blocks, by_page
from tests.docs.shell import Shell


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory):
    """The run of the quickstart, two steps long, that pages go on with."""
    folder = tmp_path_factory.mktemp("quickstart")
    with Shell(folder, executed.EXECUTED) as shell:
        status, output = shell.run("t2t train --gin_file=quickstart.gin")
    assert status == 0, output
    return folder / "runs" / "quickstart"


@by_page
@pytest.mark.usefixtures("forgotten")
def test_blocks(page, tmp_path, request):
    found = list(blocks(page))
    commands = "".join(block.text for block in found)
    if not found:
        return
    with contextlib.ExitStack() as stack:
        run, check = [
            stack.enter_context(Shell(tmp_path, programs))
            for programs in (executed.EXECUTED, checked.CHECKED)
        ]
        stand_ins.provide(tmp_path, commands)
        if "runs/quickstart" in commands or "quickstart.gin" in commands:
            shutil.copytree(request.getfixturevalue("quickstart"), tmp_path / "runs/quickstart")
        stack.enter_context(contextlib.chdir(tmp_path))
        for block in found:
            if block.is_command:
                shell = check if block.needs or block.run_by else run
                status, output = shell.run(block.text)
                assert status == 0, f"{block.place}\n{block.text}\n{output}"
            elif block.language == "python":
                run_python(block)
            elif block.language == "gin":
                load_gin(block)


def run_python(block):
    """Runs the code; a module of the reader's own is only written, for commands to import."""
    if block.file:
        place = Path(block.file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(block.text, encoding="utf-8")
        if "/" not in block.file:
            return
    if "import seqio" in block.text:
        ast.parse(block.text, block.place)
    else:
        with mock.patch.object(sys, "path", [str(Path.cwd()), *sys.path]):
            exec(compile(block.text, block.place, "exec"), {"__name__": "snippet"})


def load_gin(block):
    """Writes a file that has a name; lines without one have to be gin for names that exist."""
    name = block.file or "unnamed.gin"
    Path(name).write_text(block.text, encoding="utf-8")
    config.load([name])


@by_page
def test_every_block_is_known(page):
    for block in blocks(page):
        known = block.is_command or block.language in LANGUAGES
        assert known, f"{block.place}: ```bash, or another of {sorted(LANGUAGES)}?"
        assert block.needs in NEEDS | {""}, f"{block.place}: needs one of {sorted(NEEDS)}"
        for test in filter(None, block.run_by.split(", ")):
            assert checked.exists(test), f"{block.place}: there is no test {test}"
