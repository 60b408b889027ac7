"""What training can minimise: a sum of means, each over its own items (tokens, sequences ...)."""

import abc
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import jax
from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.heads import HeadRows
from t2t.data.mixtures import Mixture
from t2t.data.tasks import Task
from t2t.models.definition import Model, ModelConfig, Params
from t2t.training.losses.cross_entropy import TokenScores

_NONE: Mapping[str, Any] = MappingProxyType({})


class Term(NamedTuple):
    """One of the means.

    Attributes:
      total: scalar, differentiable; the sum over items of loss times weight.
      scores: of each item, float32 `[rows, items]`; reported, not optimised.
      weights: float32 `[rows, items]`, 0 for items that do not count.
      means: further float32 `[rows, items]` of which the log has the mean, by name.
    """

    total: jax.Array
    scores: TokenScores
    weights: jax.Array
    means: Mapping[str, jax.Array] = _NONE

    def weighted(self) -> dict[str, jax.Array]:
        """What to sum for the log, `[rows, items]`: "weight", and the rest times it."""
        values = {
            "loss": self.scores.cross_entropy,
            "accuracy": self.scores.correct,
            **self.means,
        }
        return {"weight": self.weights, **{k: v * self.weights for k, v in values.items()}}


class TrainingLoss(abc.ABC):
    """What training minimises: sum over terms of coefficient * total / sum of weights.

    The sums of weights are over the global batch, whatever it is split into. The first term is the
    main one: the log has its loss and accuracy by task, and of the others `<name>/loss` and
    `<name>/accuracy`; nothing of a term whose weights are all 0. Tasks are told by
    `<side>_task_ids` `[rows, length]` of the batch, which there are if it has
    `<side>_loss_weights`; with fewer items than tokens, item i is of the task of the row's token i.
    """

    draws: ClassVar[bool] = False
    """Whether terms depend on random numbers even without dropout."""

    predicts_tokens: ClassVar[bool] = True
    """Whether the main term is of target tokens, so that token frequencies are a baseline of it."""

    @property
    def coefficients(self) -> Mapping[str, float]:
        """Of terms, by name; 1 for those that are not here."""
        return _NONE

    @abc.abstractmethod
    def check(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> None:
        """Raises UserError if the model has no such head, or the task no such labels."""

    def rows(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> HeadRows | None:
        """What the tasks' texts become in a last preprocessor of the loss's own, if it has one."""
        return None

    @abc.abstractmethod
    def converter(
        self, model: ModelConfig, task_or_mixture: Task | Mixture, pack: bool
    ) -> FeatureConverter:
        """What makes batches for this loss; `pack` is whether a row may hold several examples."""

    @abc.abstractmethod
    def weights(self, config: ModelConfig, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """The weights of each term, known from the batch alone; in the order of `terms`."""

    @abc.abstractmethod
    def terms(
        self,
        model: Model,
        params: Params,
        batch: Mapping[str, jax.Array],
        key: jax.Array | None,
        mesh: Mesh | None,
    ) -> dict[str, Term]:
        """The terms by name, the main one first, called "loss".

        Args:
          model: the architecture.
          params: of the model.
          batch: of `converter`; a part of the global batch if there are microbatches.
          key: None without dropout; what is drawn then, too, is the same at every call.
          mesh: the one that the batch is split over, if it is.
        """
