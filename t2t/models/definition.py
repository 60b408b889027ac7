"""A model as pure functions of a nested dict of parameters."""

import dataclasses
import functools
from typing import Any

import jax
from flax import nnx

from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly

Params = dict[str, Any]
ModelConfig = EncoderDecoder | DecoderOnly | EncoderOnly | Electra


@dataclasses.dataclass(frozen=True)
class Model:
    """`Model(config)`: `init` makes parameters, `bind` gives them back their methods.

    Parameters are plain nested dicts of float32 arrays, named as the modules are; leaves under a
    "layers" key are stacked, with the layer as first axis. Parameters that two places share appear
    once.
    """

    config: ModelConfig

    def __post_init__(self):
        if lists := _lists(self, ""):
            raise UserError(
                f"{', '.join(lists)}: a list where a tuple is needed; write (a, b) instead of "
                f"[a, b]."
            )

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters; jit with `out_shardings` to make each shard where it belongs."""
        return self._without_shared(nnx.to_pure_dict(nnx.state(self.config.build(key), nnx.Param)))

    def bind(self, params: Params) -> Any:
        """The module with `params` in it, to call: `model.bind(params).encode(batch)`."""
        return self._merged(self.expanded(params))

    def expanded(self, params: Params) -> Params:
        """With those that two places share at both."""
        if not self.config.shared_params:
            return params
        params = jax.tree.map(lambda x: x, params)  # new dicts, the same arrays
        for path, source in self.config.shared_params.items():
            *parents, name = path.split("/")
            found = functools.reduce(lambda tree, key: tree[key], source.split("/"), params)
            functools.reduce(lambda tree, key: tree.setdefault(key, {}), parents, params)[name] = (
                found
            )
        return params

    def project(self, head_params: Params, hidden: jax.Array) -> jax.Array:
        """Float32 logits of `hidden`, from the parameters named by `head_names` alone."""
        return self._merged(head_params).logits(hidden)

    @functools.cached_property
    def head_names(self) -> tuple[str, ...]:
        """Top-level names of the parameters that `logits` reads."""
        head = self.config.head
        if head is None:
            return ()
        tables = [
            n for n in ("token_embedder", "decoder_token_embedder") if n in self.abstract_params
        ]
        own = [head.name] if head.name in self.abstract_params else []
        return (*(tables if head.tied else ()), *own)

    @functools.cached_property
    def abstract_params(self) -> Params:
        """Shapes and dtypes of the parameters."""
        return self._without_shared(nnx.to_pure_dict(self._abstract_state))

    @functools.cached_property
    def logical_axes(self) -> Params:
        """For each parameter, the names of its dimensions."""
        axes = jax.tree.map(
            lambda p: tuple(p.get_metadata()["out_sharding"]),
            self._abstract_state,
            is_leaf=lambda x: isinstance(x, nnx.Variable),
        )
        return self._without_shared(nnx.to_pure_dict(axes))

    def _merged(self, params: Params) -> Any:
        """The module; what `params` lacks stays abstract."""
        state = jax.tree.map(lambda x: x, self._abstract_state)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self._graphdef, state)

    def _without_shared(self, params: Params) -> Params:
        for path in self.config.shared_params:
            *parents, name = path.split("/")
            del functools.reduce(lambda tree, key: tree[key], parents, params)[name]
        return params

    @functools.cached_property
    def _split(self):
        abstract = nnx.eval_shape(lambda: self.config.build(jax.random.key(0)))
        return nnx.split(abstract, nnx.Param)

    @property
    def _graphdef(self):
        return self._split[0]

    @property
    def _abstract_state(self):
        return self._split[1]


def _lists(value: Any, path: str) -> list[str]:
    """Paths of settings that are lists: models are compared by hash where JAX traces them."""
    if isinstance(value, list):
        return [path]
    if isinstance(value, tuple):
        return [found for i, item in enumerate(value) for found in _lists(item, f"{path}[{i}]")]
    if not dataclasses.is_dataclass(value):
        return []
    return [
        found
        for field in dataclasses.fields(value)
        for found in _lists(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    ]
