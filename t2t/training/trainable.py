"""Which parameters are trained.

Gradients and optimiser state exist for these alone: the tree of parameters is split into what is
trained and the rest, and put together again for the model and for checkpoints.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from t2t.errors import UserError
from t2t.models.definition import Params
from t2t.models.parameter_paths import flatten, is_stacked, matching, of_layer, unflatten


@dataclasses.dataclass(frozen=True)
class Trainable:
    r"""Parameters that `include` matches and `exclude` does not.

    Patterns are regular expressions over whole names (`re.fullmatch`), such as "encoder/.*". The
    layers of a stack, one array each in the tree, are also named one by one:
    "encoder/layers/0/.*" is the first, "decoder/layers/(10|11)/.*" the last two of twelve.

    Attributes:
      include: what to train; everything by default.
      exclude: what to keep as it is, of that.
    """

    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()

    def select(self, abstract_params: Params) -> "Selection":
        """Applies the patterns to a model's parameters.

        Raises:
          UserError: if a pattern matches nothing, or nothing is left to train.
        """
        units = {path: _units(path, leaf.shape) for path, leaf in flatten(abstract_params).items()}
        names = sorted({name for unit in units.values() for name in itertools.chain(*unit)})
        included = matching(self.include, names, "Trainable.include")
        excluded = matching(self.exclude, names, "Trainable.exclude")

        selected: dict[str, tuple[int, ...] | None] = {}
        for path, parts in units.items():
            chosen = tuple(
                i for i, unit in enumerate(parts) if unit & included and not unit & excluded
            )
            if chosen:
                selected[path] = None if len(chosen) == len(parts) else chosen
        if not selected:
            raise UserError(
                f"Nothing is trained: Trainable.exclude = {self.exclude!r} takes away all that "
                f"Trainable.include = {self.include!r} matches."
            )
        return Selection(selected)


@dataclasses.dataclass(frozen=True)
class Selection:
    """What `Trainable` says of one model.

    Attributes:
      layers: for each parameter that is trained, by path, which layers are; None for all of it.
    """

    layers: Mapping[str, tuple[int, ...] | None]

    def split(self, params: Params) -> tuple[Params, Params]:
        """What is trained, and the rest.

        Of an array of which some layers are trained, the first has these, `[trained layers, ...]`,
        and the second has all, `[layers, ...]`. Optimisers that work layer by layer thus never see
        a frozen one.
        """
        flat = flatten(params)
        trained = {
            path: flat[path] if layers is None else flat[path][np.array(layers)]
            for path, layers in self.layers.items()
        }
        rest = {path: leaf for path, leaf in flat.items() if self.layers.get(path, ()) is not None}
        return unflatten(trained), unflatten(rest)

    def merge(self, trained: Params, rest: Params) -> Params:
        """The inverse of `split`; the values in `trained` win, and gradients flow to them."""
        flat = flatten(rest)
        for path, leaf in flatten(trained).items():
            layers = self.layers[path]
            if layers is not None:
                leaf = jnp.asarray(flat[path]).at[np.array(layers)].set(leaf)
            flat[path] = leaf
        return unflatten(flat)

    def abstract(self, abstract_params: Params) -> Params:
        """Shapes and dtypes of what is trained."""
        return jax.eval_shape(lambda params: self.split(params)[0], abstract_params)

    def restrict(self, tree: Params) -> Params:
        """The leaves of a tree like the parameters (axes, shardings) for what is trained."""
        flat = flatten(tree)
        return unflatten({path: flat[path] for path in self.layers})


def _units(path: str, shape: Sequence[int]) -> list[set[str]]:
    """The names of each part that can be chosen: of each layer of a stack, or of the whole."""
    if not is_stacked(path):
        return [{path}]
    return [{path, of_layer(path, i)} for i in range(shape[0])]
