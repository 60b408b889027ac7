"""Which parameters decay, and how fast."""

import dataclasses
from typing import Any

import jax

from t2t.errors import UserError
from t2t.models.parameter_paths import matching
from t2t.training.optimizers.layers import is_matrix, map_leaves


@dataclasses.dataclass(frozen=True)
class WeightDecay:
    """Decay of what `include` matches and `exclude` does not.

    Patterns are regular expressions over whole names (`re.fullmatch`), such as
    "token_embedder/.*"; a stack of layers is one array, "encoder/layers/mlp/wo/kernel".

    Attributes:
      rate: share of each weight removed per step, times the learning rate.
      include: None for all matrices: vectors (norms, biases) are spared.
      exclude: of these.
    """

    rate: float
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.rate >= 0:
            raise UserError(f"WeightDecay.rate must be 0 or more, got {self.rate}.")

    def mask(self, params: Any) -> Any:
        """A tree like the parameters: whether each decays.

        Raises:
          UserError: if a pattern matches nothing.
        """
        paths = jax.tree.leaves(map_leaves(lambda path, _: path, params))
        excluded = matching(self.exclude, paths, "WeightDecay.exclude")
        if self.include is None:
            return map_leaves(lambda path, x: is_matrix(path, x) and path not in excluded, params)
        decaying = matching(self.include, paths, "WeightDecay.include") - excluded
        return map_leaves(lambda path, _: path in decaying, params)
