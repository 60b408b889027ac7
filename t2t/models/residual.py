"""Where norms stand around the layers that add to the residual stream."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import jax

Function = Callable[[jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class PreNorm:
    """`x + f(norm(x))`: T5, GPT-2, LLaMA."""

    norms: ClassVar[tuple[str, ...]] = ("norm",)

    def __call__(self, x: jax.Array, layer: Function, drop: Function, norms: Sequence[Function]):
        return x + drop(layer(norms[0](x)))


@dataclasses.dataclass(frozen=True)
class PostNorm:
    """`norm(x + f(x))`: the first transformer, BERT, BART."""

    norms: ClassVar[tuple[str, ...]] = ("norm",)

    def __call__(self, x: jax.Array, layer: Function, drop: Function, norms: Sequence[Function]):
        return norms[0](x + drop(layer(x)))


@dataclasses.dataclass(frozen=True)
class SandwichNorm:
    """`x + norm_2(f(norm_1(x)))`: Gemma 2, T5Gemma."""

    norms: ClassVar[tuple[str, ...]] = ("norm", "post_norm")

    def __call__(self, x: jax.Array, layer: Function, drop: Function, norms: Sequence[Function]):
        return x + drop(norms[1](layer(norms[0](x))))


Placement = PreNorm | PostNorm | SandwichNorm
