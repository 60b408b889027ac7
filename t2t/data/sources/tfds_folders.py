"""Where the TensorFlow Datasets library keeps a prepared data set."""

import dataclasses
import fnmatch
import importlib.metadata
import importlib.util
import itertools
import json
import os
import re
from pathlib import Path

from t2t.errors import UserError, did_you_mean

_TFDS = "tensorflow_datasets"
_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w\-.=+]+))?:(?P<version>[\d.*|]+)")


@dataclasses.dataclass(frozen=True)
class TfdsSplit:
    """A split of a data set of its own: `TfdsSplit("glue/cola:2.0.0", "train[:90%]")`.

    Attributes:
      dataset: `name[/config]:version`.
      split: a split of it, or a slice of one.
      data_dir: the folder of prepared data sets; None for $TFDS_DATA_DIR, or
        ~/tensorflow_datasets.
    """

    dataset: str
    split: str
    data_dir: str | Path | None = None


def prepared_folder(dataset: str, data_dir: str | Path | None) -> Path:
    """The folder of `name[/config]:version`, found without the data set's own module.

    "glue/cola:1.0.0|2.0.0" is version 1.0.0 or, if that is not there, 2.0.0, which can be prepared.

    Raises:
      UserError: if the name lacks its version, or there is no such folder, with how to make it.
    """
    parts = _NAME.fullmatch(dataset)
    if not parts:
        raise UserError(
            f"'{dataset}' is no TFDS name with its version: 'name:1.0.0' or 'name/config:1.0.0'."
        )
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    root = root.expanduser()
    name, config, version = parts["name"], parts["config"] or "", parts["version"]
    folders = (root / name / config, root / name / (config or _default_config(root / name)))
    wanted = version.split("|")
    for pattern, folder in itertools.product(wanted, folders):
        matching = [p for p in _versions(folder) if fnmatch.fnmatchcase(p.name, pattern)]
        if matching:
            return matching[-1]
    raise UserError(_not_prepared(dataset.split(":")[0], wanted, root))


def _versions(folder: Path) -> list[Path]:
    """Folders of versions with their features, ascending."""
    found = [p.parent for p in folder.glob("*.*.*/features.json")]
    return sorted(found, key=lambda p: [int(n) if n.isdigit() else 0 for n in p.name.split(".")])


def _default_config(folder: Path) -> str:
    try:
        return json.loads((folder / ".config" / "metadata.json").read_text())["default_config_name"]
    except (OSError, ValueError, KeyError):
        return ""


def _not_prepared(name: str, versions: list[str], root: Path) -> str:
    dataset = f"{name}:{versions[-1]}"
    there = [_name_of(p.parent, root) for p in sorted(root.glob("*/**/features.json"))]
    builder = name.split("/")[0]
    others = [other for other in there if other.startswith((f"{builder}/", f"{builder}:"))]
    hint = f" There is: {', '.join(others)}." if others else did_you_mean(dataset, there)
    nor = f" (nor {', '.join(versions[:-1])})" if len(versions) > 1 else ""
    missing = (
        f"The TFDS data set '{dataset}' is not prepared: there is no "
        f"'{root / name / versions[-1]}'{nor}.{hint}"
    )
    if importlib.util.find_spec(_TFDS) is None:
        return (
            f"{missing} Install TFDS, `pip install 't2t[tfds]'`, and ask again how to prepare it."
        )
    imports = ", ".join(filter(None, [f"{_TFDS} as tfds", builder_module(dataset)]))
    arguments = f"'{dataset}', data_dir='{root}', file_format='array_record'"
    return (
        f"{missing} Prepare it{_needs(dataset)} with "
        f'`python -c "import {imports}; tfds.builder({arguments}).download_and_prepare()"`; '
        f"without file_format, a copy that Google's storage may have is taken. Or say where it is: "
        f"tfds_data_dir=, or $TFDS_DATA_DIR."
    )


def _name_of(folder: Path, root: Path) -> str:
    *name, version = folder.relative_to(root).parts
    return f"{'/'.join(name)}:{version}"


def builder_module(dataset: str) -> str:
    """The module to import before TFDS finds one of its older data sets without TensorFlow.

    "" for its newer ones, those of others, and without TFDS.
    """
    for path in _sources(dataset):
        if "dataset_builder" not in path.stem:
            package = next(parent for parent in path.parents if parent.name == _TFDS)
            return ".".join([_TFDS, *path.relative_to(package).with_suffix("").parts])
    return ""


def _sources(dataset: str) -> list[Path]:
    """The files that define a data set in TFDS, helpers last."""
    spec = importlib.util.find_spec(_TFDS)
    if spec is None or spec.origin is None:
        return []
    package, name = Path(spec.origin).parent, re.split("[/:]", dataset)[0]
    stem = name.removesuffix("_translate")
    places = (
        *(f"{stem}.py", f"{name}/{name}.py"),
        *(f"{name}/{name}_dataset_builder.py", f"{stem}_utils.py"),
    )
    return [path for place in places for path in sorted(package.glob(f"*/{place}"))]


def _needs(dataset: str) -> str:
    """What preparing takes that reading does not: TensorFlow, or an extra of TFDS's own."""
    sources, name = _sources(dataset), re.split("[/:]", dataset)[0]
    packages = []
    if any("tensorflow as tf" in path.read_text(encoding="utf-8") for path in sources):
        packages.append("tensorflow")
    if sources and name in importlib.metadata.metadata(_TFDS).get_all("Provides-Extra", []):
        packages.append(f"'tensorflow-datasets[{name}]'")
    return f", after `pip install {' '.join(packages)}`," if packages else ""
