"""The commands of docs/launching.md: the tools take their flags."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "launching.md").read_text(encoding="utf-8").replace("\\\n", " ")
COMMANDS = re.findall(r"^    .*?(?:python|sbatch) .*?tools/launch/.*$", TEXT, flags=re.MULTILINE)


def words_of(command):
    """Without what comes before the tool, and what its output is piped into."""
    words = shlex.split(command.split(" | ")[0])
    start = next(i for i, word in enumerate(words) if word.startswith("tools/launch/"))
    return words[:start], words[start], words[start + 1 :]


def test_all_tools_are_shown():
    tools = {Path(words_of(command)[1]) for command in COMMANDS}
    assert {path.name for path in tools} == {
        path.name
        for path in (ROOT / "tools" / "launch").iterdir()
        if path.suffix in (".py", ".sbatch")
    }


@pytest.mark.parametrize("command", [c for c in COMMANDS if ".py" in c])
def test_tools_take_the_flags(command, monkeypatch):
    _, tool, words = words_of(command)
    monkeypatch.syspath_prepend(ROOT / "tools" / "launch")
    parsed = importlib.import_module(Path(tool).stem)._parser().parse_args(words)
    if getattr(parsed, "verb", "run") == "run":
        assert parsed.command[:3] == ["--", "t2t", "train"]


@pytest.mark.parametrize("flag", ["--requeue", "--signal=TERM@300"])
def test_flags_of_the_script_are_those_that_the_page_names(flag):
    script = (ROOT / "tools" / "launch" / "slurm.sbatch").read_text(encoding="utf-8")
    assert f"#SBATCH {flag}\n" in script
    assert f"`{flag}`" in TEXT
