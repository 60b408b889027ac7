"""Mixtures of tasks by rate, and the rates of the T5 paper (section 3.5.2)."""

import dataclasses
import functools
import logging
import numbers
from collections.abc import Callable, Mapping, Sequence

from t2t.data.cache.directories import find_cache, why_not_found
from t2t.data.features import Feature
from t2t.data.tasks import Task
from t2t.errors import UserError, did_you_mean

Rate = float | Callable[[Task], float]

log = logging.getLogger(__name__)


def mixing_rate_num_examples(
    task: Task,
    maximum: float | None = None,
    scale: float = 1.0,
    temperature: float = 1.0,
    fallback_to_num_input_examples: bool = True,
    split: str = "train",
) -> float:
    """`min(examples * scale, maximum) ** (1 / temperature)`: examples-proportional mixing.

    0 for a task without the split, which is only evaluated.

    Raises:
      UserError: if the task has no cache to count in and raw examples are not to be counted.
    """
    if split not in task.splits:
        return 0.0
    cache = find_cache(task, split)
    if cache is None and not fallback_to_num_input_examples:
        raise UserError(f"Task '{task.name}' has no cache. {why_not_found(task, split)}")
    examples = task.num_input_examples(split) if cache is None else len(cache)
    rate = float(examples) * scale
    if maximum is not None:
        rate = min(rate, maximum)
    return rate ** (1.0 / temperature)


def mixing_rate_num_characters(
    task: Task,
    temperature: float = 1.0,
    char_count_name: str = "text_chars",
    split: str = "train",
) -> float:
    """`characters ** (1 / temperature)`, counted in the cache: by how much text a task has.

    Args:
      task: must be cached.
      temperature: above 1 evens out the rates.
      char_count_name: "text_chars" for all features, or "targets_chars".
      split: to count in.

    Raises:
      UserError: if there is no cache or no such count in it.
    """
    cache = find_cache(task, split)
    if cache is None:
        raise UserError(
            f"Task '{task.name}': its characters are counted in its cache. "
            f"{why_not_found(task, split)}"
        )
    statistics = cache.info.statistics
    if char_count_name not in statistics:
        raise UserError(
            f"Task '{task.name}': its cache has no count '{char_count_name}', only "
            f"{', '.join(statistics)}.{did_you_mean(char_count_name, statistics)}"
        )
    return float(statistics[char_count_name]) ** (1.0 / temperature)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """Tasks, or mixtures of them, drawn in proportion to their rates.

    Attributes:
      name: registered name.
      parts: (task or mixture, rate) pairs; the rate of a mixture must be a number.
    """

    name: str
    parts: Sequence[tuple["Task | Mixture", Rate]]

    def __post_init__(self):
        if not self.parts:
            raise UserError(f"Mixture '{self.name}' has no tasks.")
        for part, rate in self.parts:
            if not callable(rate) and not (isinstance(rate, numbers.Real) and rate >= 0):
                raise UserError(
                    f"Mixture '{self.name}' gives '{part.name}' the rate {rate!r}; rates must be 0 "
                    f"(only evaluated) or more, or functions of the task."
                )
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise UserError(f"Mixture '{self.name}' holds different tasks of one name: {names}.")
        features = [task.output_features for task in self.tasks]
        if any(set(f) != set(features[0]) for f in features):
            raise UserError(
                f"Mixture, '{self.name}' contains Tasks with different output features: "
                + "; ".join(f"{t.name}: {sorted(t.output_features)}" for t in self.tasks)
            )
        for name in features[0]:
            if len({f[name].vocabulary for f in features}) > 1:
                raise UserError(
                    f"Mixture '{self.name}' contains tasks with different vocabularies for "
                    f"'{name}': "
                    + "; ".join(
                        f"{t.name}: {t.output_features[name].vocabulary}" for t in self.tasks
                    )
                )

    @functools.cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The leaf tasks, each once, in order of first appearance."""
        leaves = [t for part, _ in self.parts for t in leaf_tasks(part)]
        return tuple(dict.fromkeys(leaves))

    @property
    def output_features(self) -> Mapping[str, Feature]:
        return self.tasks[0].output_features

    @property
    def total_rate(self) -> float:
        return sum(self._part_rate(part, rate) for part, rate in self.parts)

    def get_rate(self, task: Task) -> float:
        """Own rate plus, for each mixture that holds the task, its share of that mixture's rate."""
        return self.rates().get(task, 0.0)

    def rates(self) -> dict[Task, float]:
        """`get_rate` of every task, in time proportional to their number."""
        rates = dict.fromkeys(self.tasks, 0.0)
        for part, rate in self.parts:
            own = self._part_rate(part, rate)
            if isinstance(part, Task):
                rates[part] += own
            elif total := part.total_rate:
                for task, inner in part.rates().items():
                    rates[task] += own * inner / total
        return rates

    def _part_rate(self, part: "Task | Mixture", rate: Rate) -> float:
        if not callable(rate):
            return rate
        if isinstance(part, Mixture):
            raise UserError(f"Mixture '{self.name}': the rate of '{part.name}' must be a number.")
        value = rate(part)
        if not value >= 0:
            raise UserError(
                f"Mixture '{self.name}': the rate function of '{part.name}' gave {value}."
            )
        return value


def leaf_tasks(task_or_mixture: Task | Mixture) -> tuple[Task, ...]:
    """The tasks of a mixture, or the task itself."""
    return task_or_mixture.tasks if isinstance(task_or_mixture, Mixture) else (task_or_mixture,)


def mixing_rates(task_or_mixture: Task | Mixture, split: str | None = None) -> dict[str, float]:
    """Share of each leaf task, by name, that is drawn from at all; sums to 1.

    Args:
      task_or_mixture: a task alone has the share 1.
      split: leave out tasks that lack it, with a warning.

    Raises:
      UserError: if no task is left.
    """
    if isinstance(task_or_mixture, Task):
        return {task_or_mixture.name: 1.0}
    mixture = task_or_mixture
    rates = mixture.rates()
    drawn = {t: rate for t, rate in rates.items() if rate and (not split or split in t.splits)}
    if not drawn:
        splits = sorted({name for task in mixture.tasks for name in task.splits})
        raise UserError(
            f"Mixture '{mixture.name}' has no task with a rate above 0"
            + (f" and a split '{split}'; its tasks have the splits {splits}." if split else ".")
        )
    if lacking := [t.name for t in rates if rates[t] and t not in drawn]:
        log.warning(
            "mixture '%s' is drawn without %s, which have no split '%s'",
            mixture.name,
            ", ".join(lacking),
            split,
        )
    total = sum(drawn.values())
    return {task.name: rate / total for task, rate in drawn.items()}
