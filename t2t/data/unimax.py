"""UniMax: languages as evenly as their texts allow (Chung et al., arXiv 2304.09151, section 4)."""

import functools
from collections.abc import Callable, Mapping, Sequence

from t2t.data.mixtures import mixing_rate_num_examples
from t2t.data.registry import get_mixture_or_task
from t2t.data.tasks import Task
from t2t.errors import UserError


def unimax(sizes: Mapping[str, float], budget: float, max_epochs: float = 1.0) -> dict[str, float]:
    """Shares of a training budget: each an equal one, but none more than `max_epochs` of its text.

    What small ones cannot use goes to the larger ones in equal parts.

    Args:
      sizes: of each text, by name, in the unit of the budget, characters in the paper.
      budget: how much is trained on in all.
      max_epochs: how often a text may be seen.

    Returns:
      Shares that sum to 1; proportional to the sizes if there is not enough text for the budget.

    Raises:
      UserError: unless sizes, budget and epochs are above 0.
    """
    small = [name for name, size in sizes.items() if not size > 0]
    if small or not sizes or not (budget > 0 and max_epochs > 0):
        raise UserError(
            f"unimax needs sizes, a budget and max_epochs above 0; given are budget {budget:g}, "
            f"max_epochs {max_epochs:g}, and {len(small)} of {len(sizes)} sizes of 0 or less."
        )
    left, given = float(budget), {}
    for done, name in enumerate(sorted(sizes, key=sizes.__getitem__)):
        given[name] = min(left / (len(sizes) - done), max_epochs * sizes[name])
        left -= given[name]
    total = sum(given.values())
    return {name: given[name] / total for name in sizes}


class UniMax:
    """`unimax` of some tasks, as the rate of a mixture; their sizes are counted when first needed.

    Args:
      names: of all tasks of the mixture.
      budget: in what `size` counts.
      max_epochs: how often a task's examples may be seen.
      size: of a task: examples of its split "train"; `mixing_rate_num_characters` gives the
        characters that its cache has counted.

    Raises:
      UserError: when called with another task.
    """

    def __init__(
        self,
        names: Sequence[str],
        budget: float,
        max_epochs: float = 1.0,
        size: Callable[[Task], float] = mixing_rate_num_examples,
    ):
        self._names, self._budget, self._max_epochs = tuple(names), budget, max_epochs
        self._size = size

    def __call__(self, task: Task) -> float:
        if task.name not in self._shares:
            raise UserError(f"UniMax was not told of the task '{task.name}'.")
        return self._shares[task.name]

    @functools.cached_property
    def _shares(self) -> Mapping[str, float]:
        sizes = {}
        for name in self._names:
            task = get_mixture_or_task(name)
            assert isinstance(task, Task), name
            sizes[name] = self._size(task)
        return unimax(sizes, self._budget, self._max_epochs)
