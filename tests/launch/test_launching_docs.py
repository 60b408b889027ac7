"""docs/launching.md shows every tool, and says what the script of Slurm asks for."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "launching.md").read_text(encoding="utf-8")


def test_all_tools_are_shown():
    tools = (ROOT / "tools" / "launch").iterdir()
    for tool in [path.name for path in tools if path.suffix in (".py", ".sbatch")]:
        assert f"tools/launch/{tool} " in TEXT, tool


@pytest.mark.parametrize("flag", ["--requeue", "--signal=TERM@300"])
def test_flags_of_the_script_are_those_that_the_page_names(flag):
    script = (ROOT / "tools" / "launch" / "slurm.sbatch").read_text(encoding="utf-8")
    assert f"#SBATCH {flag}\n" in script
    assert f"`{flag}`" in TEXT
