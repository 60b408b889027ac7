"""Low-rank adaptation (https://arxiv.org/abs/2106.09685): kernels learn a change of low rank.

The kernel stays as it is; beside it, two thin matrices are trained, whose product is added to it
(section 4.1). Here the sum is formed where parameters become a module, once per step, which costs
little beside a step over many tokens, leaves the layers as they are, and serves to save an
ordinary model too.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from t2t.errors import UserError
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.parameter_paths import flatten, matching, unflatten

ADAPTERS = ".*/lora_[ab]"
"""Pattern of what is trained."""


@dataclasses.dataclass(frozen=True)
class LoRA:
    """Which kernels are adapted, and how.

    A kernel `[in, out]` gets `lora_a` `[in, rank]` and `lora_b` `[rank, out]` beside it, a stack of
    kernels `[layers, in, out]` a stack of each. What multiplies the input is
    kernel + alpha / rank * lora_a @ lora_b.

    Attributes:
      rank: of the change.
      alpha: its size; with the rate held, results depend little on `rank` then.
      patterns: regular expressions over whole names of kernels; by default, queries and values of
        all attention, as in most of the paper.
    """

    rank: int
    alpha: float
    patterns: tuple[str, ...] = (".*attention/(query|value)/kernel",)

    def __post_init__(self):
        if self.rank < 1 or not self.alpha > 0:
            raise UserError(
                f"LoRA needs rank >= 1 and alpha > 0, got rank={self.rank} and alpha={self.alpha}."
            )

    def kernels(self, abstract_params: Params) -> list[str]:
        """Paths of the kernels that are adapted.

        Raises:
          UserError: if a pattern matches no kernel, or the rank is above that of one.
        """
        shapes = {
            path: leaf.shape
            for path, leaf in flatten(abstract_params).items()
            if path.endswith("/kernel")
        }
        found = sorted(matching(self.patterns, shapes, "LoRA.patterns"))
        for path in found:
            if self.rank > min(shapes[path][-2:]):
                raise UserError(
                    f"LoRA.rank = {self.rank} is more than the rank that {path} of shape "
                    f"{shapes[path]} can have, {min(shapes[path][-2:])}."
                )
        return found

    def add(self, params: Params, key: jax.Array) -> Params:
        """Parameters with fresh adapters: `lora_a` normal with variance 1 / in, `lora_b` zero."""
        flat = flatten(params)
        for i, path in enumerate(self.kernels(params)):
            *layers, fan_in, fan_out = flat[path].shape
            a, b = _beside(path)
            draw = jax.random.normal(jax.random.fold_in(key, i), (*layers, fan_in, self.rank))
            flat[a] = draw * fan_in**-0.5
            flat[b] = jnp.zeros((*layers, self.rank, fan_out))
        return unflatten(flat)

    def add_axes(self, logical_axes: Params, abstract_params: Params) -> Params:
        """Names of dimensions with those of adapters: their own dimension is "lora"."""
        flat = flatten(logical_axes)
        for path in self.kernels(abstract_params):
            *layers, fan_in, fan_out = flat[path]
            a, b = _beside(path)
            flat[a] = (*layers, fan_in, "lora")
            flat[b] = (*layers, "lora", fan_out)
        return unflatten(flat)

    def merge(self, params: Params) -> Params:
        """Ordinary parameters, with the change added to the kernels; differentiable."""
        flat = flatten(params)
        for path in [path for path in flat if path.endswith("/lora_a")]:
            kernel = path.removesuffix("lora_a") + "kernel"
            a, b = (flat.pop(name) for name in _beside(kernel))
            change = jnp.matmul(a, b, precision="highest")
            flat[kernel] = flat[kernel] + self.alpha / self.rank * change
        return unflatten(flat)


@dataclasses.dataclass(frozen=True)
class LoRAModel(Model):
    """A model whose parameters have adapters in them. Fresh, it equals the model without."""

    lora: LoRA

    def init(self, key: jax.Array) -> Params:
        return self.lora.add(self._base.init(key), jax.random.fold_in(key, 1))

    def expanded(self, params: Params) -> Params:
        return self._base.expanded(self.lora.merge(params))

    def project(self, head_params: Params, hidden: jax.Array) -> jax.Array:
        return self._base.project(self.lora.merge(head_params), hidden)

    @functools.cached_property
    def abstract_params(self) -> Params:
        return jax.eval_shape(self.lora.add, self._abstract, jax.random.key(0))

    @functools.cached_property
    def logical_axes(self) -> Params:
        return self.lora.add_axes(self._base.logical_axes, self._abstract)

    @functools.cached_property
    def _base(self) -> Model:
        return Model(self.config)

    @property
    def _abstract(self) -> Params:
        return self._base.abstract_params


def make_model(config: ModelConfig, lora: LoRA | None = None) -> Model:
    """The model, with adapters if asked for."""
    return Model(config) if lora is None else LoRAModel(config, lora)


def _beside(kernel: str) -> tuple[str, str]:
    """Paths of the adapters of a kernel."""
    folder = kernel.removesuffix("kernel")
    return f"{folder}lora_a", f"{folder}lora_b"
