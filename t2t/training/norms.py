"""Norms of gradients, updates and parameters, by parts of the model."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from t2t.models.definition import Params
from t2t.models.parameter_paths import flatten, matching


@dataclasses.dataclass(frozen=True)
class NormGroups:
    r"""The parts whose norms are logged.

    Attributes:
      patterns: name of each part, and the regular expression over whole parameter names
        (`re.fullmatch`) that says what is in it; parts may overlap. None: a part for each first
        component of names: "encoder", "decoder", "token_embedder" ...
    """

    patterns: Mapping[str, str] | None = None

    def select(self, abstract_params: Params) -> dict[str, set[str]]:
        """Paths of parameters by part; raises UserError if a pattern matches nothing."""
        paths = list(flatten(abstract_params))
        if self.patterns is None:
            parts = dict.fromkeys(path.split("/")[0] for path in paths)
            return {part: {p for p in paths if p.split("/")[0] == part} for part in parts}
        setting = "NormGroups.patterns"
        return {part: matching([x], paths, setting) for part, x in self.patterns.items()}


def norms(tree: Params, parts: Mapping[str, set[str]], name: str) -> dict[str, jax.Array]:
    """Euclidean norms, float32 scalars: `name` of all leaves, `name/<part>` of those in parts.

    Parts of which the tree has nothing, since they are not trained, are left out.
    """
    squares = {k: jnp.sum(jnp.square(x.astype(jnp.float32))) for k, x in flatten(tree).items()}
    found = {name: jnp.sqrt(sum(squares.values(), start=jnp.float32(0)))}
    for part, paths in parts.items():
        if of_part := [square for path, square in squares.items() if path in paths]:
            found[f"{name}/{part}"] = jnp.sqrt(sum(of_part, start=jnp.float32(0)))
    return found
