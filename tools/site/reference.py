"""Pages of the API reference: one per package of t2t, and an index of all public names.

Each page is a list of `::: module` for mkdocstrings, which reads the docstrings.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """A module and what it defines for others."""

    name: str
    summary: str
    public: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, root: Path) -> "Module":
        """Reads a file without importing it."""
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        defined = (ast.FunctionDef, ast.ClassDef)
        names = [
            node.name
            for node in tree.body
            if isinstance(node, defined) and not node.name.startswith("_")
        ]
        parts = path.relative_to(root).with_suffix("").parts
        dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        summary = (ast.get_docstring(tree) or "").split("\n\n")[0]
        return cls(dotted, " ".join(summary.split()), tuple(names))


def packages(root: Path) -> Iterator[tuple[Module, list[Module]]]:
    """Each package below `root`/t2t, the whole one first, and its modules that define something."""
    for init in sorted((root / "t2t").rglob("__init__.py"), key=lambda path: path.parent):
        files = sorted(init.parent.glob("[!_]*.py"))
        modules = [module for file in files if (module := Module.read(file, root)).public]
        package = Module.read(init, root)
        if modules or package.public:
            yield package, modules


def pages(root: Path) -> dict[str, str]:
    """Markdown by file name, `index.md` first."""
    found = list(packages(root))
    made = {"index.md": _index(found)}
    for package, modules in found:
        blocks = [f"# {package.name}\n", f"{package.summary}\n"]
        shown = [package, *modules] if package.public and package.name != "t2t" else modules
        blocks += [f"## {module.name.split('.')[-1]}\n\n::: {module.name}\n" for module in shown]
        made[f"{package.name}.md"] = "\n".join(blocks)
    return made


def _index(found: list[tuple[Module, list[Module]]]) -> str:
    """The packages, and every public name under its first letter."""
    lines = [
        "# API reference\n",
        "Made from the docstrings: a page per package, and below, every public name.\n",
        "Names of daily use are in `t2t` itself (`t2t.Feature`, `t2t.TaskRegistry`, …).\n",
        "| package | |",
        "|---|---|",
    ]
    lines += [f"| [{p.name}]({p.name}.md) | {p.summary.replace('|', ' ')} |" for p, _ in found]
    places = [
        (name, module.name)
        for package, modules in found
        for module in [package, *modules]
        for name in module.public
    ]
    letter = ""
    for name, module in sorted(places, key=lambda place: (place[0].lower(), place)):
        if name[0].upper() != letter:
            letter = name[0].upper()
            lines.append(f"\n## {letter}\n")
        lines.append(f"* [`{name}`][{module}.{name}] · {module}")
    return "\n".join(lines) + "\n"
