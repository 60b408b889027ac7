"""The pages of the documentation and their blocks of code, with what a comment says of each.

Commands are run by tests. A comment on the line before a block says why it is not:

    <!-- needs: an accelerator -->              it is only parsed; `NEEDS` lists what can be missing
    <!-- run by: tests/tools/test_bench.py -->  that test runs it
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
NEEDS = {
    "an accelerator",
    "more time",
    "another program",
    "a cluster",
    "a data set",
    "the compiler of TPUs",
    "the network",
}
LANGUAGES = {"bash", "python", "gin", "text", "json", "html", "yaml", "dockerfile"}
PROGRAMS = {
    *("t2t", "python", "pip", "make", "pytest", "bash", "echo", "printf", "cat", "cd", "mkdir"),
    *("npm", "apt-get", "git", "docker", "kubectl", "gcloud", "sbatch", "srun", "for", "head"),
    *("ct2-transformers-converter", "lm_eval", "mkdocs"),
}
FENCE = re.compile(r"^( *)(```+|~~~+)\s*(\S*)")
MARK = re.compile(r"^ *<!-- (needs|run by): (.*?) -->$")


@dataclass(frozen=True)
class Block:
    """Code of a page. `language` is empty where the page does not say it."""

    page: Path
    line: int
    language: str
    text: str
    needs: str = ""
    run_by: str = ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_command(self) -> bool:
        """Whether it is for a shell: it says so, or says nothing and begins with a program."""
        if self.language:
            return self.language == "bash"
        lines = [line for line in self.text.splitlines() if not re.match(r"\s*(#|$)", line)]
        words = [word for word in (lines or [""])[0].split() if not re.match(r"[A-Z_0-9]+=", word)]
        return bool(words) and words[0] in PROGRAMS

    @property
    def file(self) -> str:
        """The file that its first line, a comment, names: `# tasks/reverse.py`."""
        named = re.match(r"# ([\w/]+\.(?:py|gin))\b", self.text)
        return named[1] if named else ""


def blocks(page: Path) -> Iterator[Block]:
    """All blocks of a page in order: fenced ones, and those indented by four spaces."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        start, marks = number, _marks(lines[number - 1] if number else "")
        if fence := FENCE.match(lines[number]):
            number = _end_of_fence(lines, number, fence[2])
            body = [line.removeprefix(fence[1]) for line in lines[start + 1 : number]]
            yield Block(page, start + 1, fence[3], "\n".join(body) + "\n", **marks)
        elif lines[number].startswith("    ") and _begins_indented(lines, number):
            while number < len(lines) and (lines[number].startswith("    ") or not lines[number]):
                number += 1
            body = [line[4:] for line in lines[start:number]]
            yield Block(page, start + 1, "", "\n".join(body).rstrip() + "\n", **marks)
            continue
        number += 1


def _marks(line: str) -> dict[str, str]:
    found = MARK.match(line)
    return {found[1].replace(" ", "_"): found[2]} if found else {}


def _end_of_fence(lines: list[str], start: int, fence: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number].strip() == fence:
            return number
    raise ValueError(f"line {start + 1}: a block that does not end")


def _begins_indented(lines: list[str], number: int) -> bool:
    """Whether what is indented here is code: text before it is not a list."""
    before = [line for line in lines[:number] if line.strip()]
    marked = before and MARK.match(before[-1])
    if number and lines[number - 1].strip() and not marked:
        return False
    while before and (before[-1].startswith(" ") or MARK.match(before[-1])):
        before.pop()
    return not (before and re.match(r"([*-]|\d+\.) ", before[-1]))
