"""A model as pure functions of a nested dict of parameters."""

import dataclasses
import functools
from typing import Any

import jax
from flax import nnx

from t2t.models.config import T5Config
from t2t.models.transformer import T5

Params = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Model:
    """`Model(config)`: `init` makes parameters, `bind` gives them back their methods.

    Parameters are plain nested dicts of float32 arrays, named as the modules are; leaves under a
    "layers" key are stacked, with the layer as first axis.
    """

    config: T5Config

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters; jit with `out_shardings` to make each shard where it belongs."""
        return nnx.to_pure_dict(nnx.state(T5(self.config, key), nnx.Param))

    def bind(self, params: Params) -> T5:
        """The module with `params` in it, to call: `model.bind(params).encode(tokens)`."""
        state = jax.tree.map(lambda x: x, self._abstract_state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graphdef, state)

    @functools.cached_property
    def abstract_params(self) -> Params:
        """Shapes and dtypes of the parameters."""
        return nnx.to_pure_dict(self._abstract_state)

    @functools.cached_property
    def logical_axes(self) -> Params:
        """For each parameter, the names of its dimensions."""
        return nnx.to_pure_dict(
            jax.tree.map(
                lambda p: tuple(p.get_metadata()["out_sharding"]),
                self._abstract_state,
                is_leaf=lambda x: isinstance(x, nnx.Variable),
            )
        )

    @functools.cached_property
    def _split(self):
        abstract = nnx.eval_shape(lambda: T5(self.config, jax.random.key(0)))
        return nnx.split(abstract, nnx.Param)

    @property
    def _graphdef(self):
        return self._split[0]

    @property
    def _abstract_state(self):
        return self._split[1]
