"""What a tracker is: three methods."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from t2t.errors import UserError
from t2t.optional import optional_import
from t2t.training.run_directory import RunDirectory


class Tracker(abc.ABC):
    """Takes the values of log lines, on the first process alone.

    Those that `train.trackers` names work in a thread of their own, one call after the other:
    training never waits for them, and what they raise is one warning.

    Attributes:
      requires: module that has to be importable, also the name of the extra of t2t that brings it;
        training does not start without it.
    """

    requires: ClassVar[str] = ""

    @abc.abstractmethod
    def start(self, run: RunDirectory, config: Mapping[str, Any], resume_step: int) -> None:
        """Begins, or goes on after an interruption or a rollback.

        Args:
          run: the folder, in which a tracker may keep the name under which it goes on.
          config: the run's settings, flat.
          resume_step: 0, or the step of the checkpoint that training goes on from: entries after
            it come once more.
        """

    @abc.abstractmethod
    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Takes values under names such as "train/loss" and "eval/spelling/exact_match"."""

    @abc.abstractmethod
    def close(self) -> None:
        """Hands over what is still kept back; `start` may follow."""


def check_trackers(trackers: Sequence[Tracker]) -> None:
    """Raises UserError if there are two of a kind, or the package that one needs is missing."""
    kinds = [type(tracker) for tracker in trackers]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise UserError(f"train.trackers has {kind.__name__} {kinds.count(kind)} times.")
        if kind.requires:
            optional_import(kind.requires, f"The tracker {kind.__name__}", extra=kind.requires)
