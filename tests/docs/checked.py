"""Programs that only look at how they are called: flags, gin files, names of packages.

They answer for commands that are not run here, and where installing is all that a command does.
"""

import argparse
import importlib.util
import re
import runpy
import sys
import tomllib
from unittest import mock

from packaging.requirements import Requirement

from t2t import cli, config
from t2t.errors import UserError
from t2t.training.loop import train
from tests.docs.pages import ROOT
from tests.docs.shell import Call

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"].keys()
PACKAGE = re.compile(r"[a-z0-9][\w.+-]*(@[\d.]+)?")


class Parsed(Exception):
    """Flags were understood, and nothing else has been done."""


def t2t(call: Call) -> int:
    """The flags of a command, and for `train` and `plan` that gin's files and bindings fit."""
    words, bindings = cli._split_bindings(call.words)
    sys.path.insert(0, call.folder)
    args = cli._parser().parse_args(words)
    if words[0] not in ("train", "plan"):
        return 0
    if words[0] == "train" and args.model_dir:
        bindings = [*bindings, f"MODEL_DIR = {args.model_dir!r}"]
    try:
        config.load(args.gin_file, bindings, args.gin_search_paths.split(","), args.imports)
        if words[0] == "plan":
            config.fill_in({"MODEL_DIR": "", "MIXTURE": "", "TRAIN_STEPS": 1})
        config.arguments_of(train)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def python(call: Call) -> int:
    """A tool's flags, or that `-m` names a module."""
    if call.words[:1] == ["-m"]:
        if call.words[1] == "pip":
            return pip(Call("pip", call.words[2:], call.folder, call.environment, ""))
        if call.words[1] == "pytest":
            return pytest(Call("pytest", call.words[2:], call.folder, call.environment, ""))
        return 0 if importlib.util.find_spec(call.words[1]) else _wrong(call)
    tool = ROOT / call.words[0]
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser, words=None, namespace=None):
        raise Parsed(parse(parser, words, namespace))

    words = [str(tool), *call.words[1:]]
    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", parse_only),
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "path", [str(tool.parent), *sys.path]),
    ):
        try:
            runpy.run_path(str(tool), run_name="__main__")
        except Parsed as parsed:
            command = getattr(parsed.args[0], "command", None) or []
    return inner([word for word in command if word != "--"], call)


def inner(words: list[str], call: Call) -> int:
    """The command that another one starts."""
    if not words:
        return 0
    if words[0] != "t2t":
        return _wrong(call)
    return t2t(Call("t2t", words[1:], call.folder, call.environment, ""))


def pip(call: Call) -> int:
    """Extras exist; other requirements are well-formed, and within our bounds if they are ours."""
    verb, *words = call.words
    if verb not in ("install", "download"):
        return _wrong(call)
    files = {"-c": "constraints.txt", "--find-links": None}
    requirements = []
    while words:
        word = words.pop(0)
        if word in files:
            if words.pop(0) != files[word]:
                return _wrong(call)
        elif not word.startswith("-"):
            requirements.append(word)
    for requirement in requirements:
        ours = re.fullmatch(r"(?:\.|t2t)(?:\[([\w,]+)\])?", requirement)
        if ours is None:
            Requirement(requirement)
        elif ours[1] and (unknown := set(ours[1].split(",")) - EXTRAS):
            print("no such extra:", *unknown, file=sys.stderr)
            return 1
    return 0 if requirements else _wrong(call)


def make(call: Call) -> int:
    """The targets are those of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", text, flags=re.MULTILINE))
    return 0 if call.words and targets.issuperset(call.words) else _wrong(call)


def pytest(call: Call) -> int:
    """Paths, tests and markers exist."""
    words = iter(call.words)
    for word in words:
        if word == "-m":
            markers = PROJECT["tool"]["pytest"]["ini_options"]["markers"]
            if next(words) not in [marker.split(":")[0] for marker in markers]:
                return _wrong(call)
        elif not word.startswith("-") and not exists(word):
            return _wrong(call)
    return 0


def exists(test: str) -> bool:
    """Whether there is such a file, and in it such a test."""
    file, _, name = test.partition("::")
    place = ROOT / file
    return place.exists() and (not name or f"def {name}(" in place.read_text(encoding="utf-8"))


def package_manager(call: Call) -> int:
    """npm and apt-get: names of packages."""
    names = [word for word in call.words[1:] if not word.startswith("-")]
    known = call.words[0] in ("pack", "install", "download", "update")
    return 0 if known and all(map(PACKAGE.fullmatch, names)) else _wrong(call)


def starter(call: Call) -> int:
    """sbatch and srun: what they start."""
    words = [word for word in call.words if not word.startswith("-")]
    if words[0].endswith(".sbatch"):
        if not (ROOT / words[0]).is_file():
            return _wrong(call)
        words.pop(0)
    return inner(call.words[call.words.index(words[0]) :], call)


def foreign(call: Call) -> int:
    """A program that is not ours."""
    return 0


def bash(call: Call) -> int:
    """A script of the repository."""
    return 0 if (ROOT / call.words[0]).is_file() else _wrong(call)


def _wrong(call: Call) -> int:
    print("not understood:", call.program, *call.words, file=sys.stderr)
    return 1


INSTALLING = {"pip": pip, "make": make, "npm": package_manager, "apt-get": package_manager}
CHECKED = {
    **INSTALLING,
    "t2t": t2t,
    "python": python,
    "pytest": pytest,
    "bash": bash,
    "sbatch": starter,
    "srun": starter,
    **dict.fromkeys(
        ("kubectl", "gcloud", "docker", "git", "ct2-transformers-converter", "lm_eval"), foreign
    ),
}
