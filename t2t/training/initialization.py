"""Parameters of a fresh run that come from other runs: which from where, and what is fresh."""

import dataclasses
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.errors import UserError, did_you_mean
from t2t.models.definition import Params
from t2t.models.parameter_paths import flatten, is_stacked, matching
from t2t.paths import run_folder
from t2t.training.checkpoints import Checkpoints
from t2t.training.partial_restore import restore_part, stored_params
from t2t.training.run_directory import RunDirectory
from t2t.training.transfer import Take, Transfer

log = logging.getLogger(__name__)

_MOST_LISTED = 20


@dataclasses.dataclass(frozen=True)
class ParameterSource:
    r"""Another run, and what is taken from it.

    Patterns are regular expressions over whole names of parameters of the *new* model.

    Attributes:
      model_dir: the run's folder.
      include: what to take; by default all that earlier sources do not give.
      renames: pairs (pattern, name in the source); the first that matches holds, and "\1" is the
        first group, so `(("(.*)/cross_attention/(.*)", r"\1/self_attention/\2"),)` begins
        cross-attention with what self-attention has learnt.
      layers: for each layer of the new model's stacks, which of the source's it is, as (0, 2, 4)
        for a model of half the depth; None for the same layers. Use two sources with the same
        folder for stacks that differ.
      resize: what may be larger than in the source in one dimension, such as an embedding table
        with new words: what is there is copied to the front, the rest is fresh.
      step: of the checkpoint; None for the newest that is intact.
    """

    model_dir: str
    include: tuple[str, ...] = (".*",)
    renames: tuple[tuple[str, str], ...] = ()
    layers: tuple[int, ...] | None = None
    resize: tuple[str, ...] = ()
    step: int | None = None


@dataclasses.dataclass(frozen=True)
class Initialization:
    """Where the parameters of a fresh run come from.

    Attributes:
      sources: the first that includes a parameter gives it.
      fresh: patterns for parameters that are drawn as for a new model, whatever the sources have.
    """

    sources: tuple[ParameterSource, ...]
    fresh: tuple[str, ...] = ()

    def open(self, target: Params) -> "OpenedInitialization":
        """Looks for the sources and verifies them, before any parameter is read.

        Args:
          target: shapes, dtypes and shardings of the new model's parameters.

        Raises:
          UserError: as `plan`; if a source has no intact checkpoint, or not the one asked for.
        """
        folders = tuple(_folder(source) for source in self.sources)
        transfer = self.plan(target, [stored_params(folder) for folder in folders])
        return OpenedInitialization(folders, transfer)

    def plan(self, target: Params, stored: Sequence[Params]) -> Transfer:
        """Decides for each parameter of `target`, given the shapes of what each source has.

        Raises:
          UserError: if a pattern matches nothing; listing all parameters that nothing gives, that
            their source lacks, or that have another shape there.
        """
        flat = flatten(target)
        fresh = matching(self.fresh, flat, "Initialization.fresh")
        takes: dict[str, Take] = {}
        problems: list[str] = []
        for i, (source, tree) in enumerate(zip(self.sources, stored, strict=True)):
            there = {name: tuple(leaf.shape) for name, leaf in flatten(tree).items()}
            included = matching(source.include, flat.keys() - fresh, "ParameterSource.include")
            paths = sorted(included - takes.keys())
            if not paths:
                raise UserError(
                    f"Nothing is taken from '{source.model_dir}': earlier sources already give all "
                    f"that its ParameterSource.include = {source.include!r} matches."
                )
            resizable = matching(source.resize, paths, "ParameterSource.resize")
            names = _renamed(paths, source.renames)
            left_out = there.keys() - set(names.values())
            for path, name in names.items():
                layers = source.layers if is_stacked(path) else None
                takes[path] = take = Take(i, name, there.get(name, ()), layers)
                shape = tuple(flat[path].shape)
                problem = _problem(take, there, shape, path in resizable)
                if name.removesuffix("kernel") + "lora_a" in left_out:
                    problem = f"has LoRA adapters beside {name}, which have to be merged first"
                problems += [f"{path}: '{source.model_dir}' {problem}"] if problem else []
        problems += [
            f"{path}: no source includes it" for path in flat.keys() - fresh - takes.keys()
        ]
        if problems:
            left = len(problems) - _MOST_LISTED
            raise UserError(
                "The parameters of the sources do not fit the model. "
                + "; ".join(sorted(problems)[:_MOST_LISTED])
                + (f"; and {left} more" if left > 0 else "")
                + ". Name what is to be drawn afresh in Initialization.fresh; for the rest, "
                "ParameterSource has renames, layers and resize."
            )
        return Transfer(flat, takes)


@dataclasses.dataclass(frozen=True)
class OpenedInitialization:
    """An `Initialization` whose sources are there, intact, and fit.

    Attributes:
      folders: of each source's parameters.
      transfer: what is taken from which.
    """

    folders: tuple[Path, ...]
    transfer: Transfer

    def params(self, init: Callable[[], Params]) -> Params:
        """Reads what is needed of the sources' checkpoints, and draws the rest.

        Args:
          init: draws all of them; it is traced, and only what is needed is made.
        """
        loaded = []
        for i, folder in enumerate(self.folders):
            log.info("taking parameters from %s", folder)
            loaded.append(restore_part(folder, self.transfer.wanted(i)))
        return self.transfer.assemble(init, loaded)


def _folder(source: ParameterSource) -> Path:
    """Where the source's parameters are."""
    run = RunDirectory(run_folder(source.model_dir))
    if not run.checkpoints.exists():
        raise UserError(
            f"ParameterSource.model_dir: '{source.model_dir}' is not the folder of a run with "
            "checkpoints."
        )
    with Checkpoints(run.checkpoints) as checkpoints:
        return checkpoints.params_folder(source.step)


def _renamed(paths: Sequence[str], renames: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The name in the source for each path of ours."""
    names = {path: path for path in paths}
    left = set(paths)
    for pattern, replacement in renames:
        for path in matching([pattern], left, "ParameterSource.renames"):
            try:
                names[path] = re.sub(rf"\A(?:{pattern})\Z", replacement, path)
            except (re.error, IndexError) as error:
                raise UserError(
                    f"ParameterSource.renames: '{replacement}' does not go with '{pattern}': "
                    f"{error}."
                ) from error
            left.discard(path)
    return names


def _problem(
    take: Take, there: Mapping[str, Any], wanted: tuple[int, ...], resizable: bool
) -> str | None:
    """Why a parameter cannot be taken, if so; to be read after the name of the source."""
    if take.name not in there:
        return f"has no {take.name}.{did_you_mean(take.name, there)}".rstrip(".")
    if take.layers is not None and not all(0 <= i < take.shape[0] for i in take.layers):
        return f"has {take.shape[0]} layers, without some of layers = {take.layers}"
    selected = take.selected_shape
    if len(selected) == len(wanted):
        differing = [(a, b) for a, b in zip(selected, wanted, strict=True) if a != b]
        if not differing:
            return None
        if resizable and len(differing) == 1 and differing[0][0] < differing[0][1]:
            return None
    return f"has shape {selected}, the model {wanted}"
