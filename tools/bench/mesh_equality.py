"""Trains tiny models on one device and on meshes of eight simulated ones, and compares.

Every architecture has packed rows, scanned layers, rematerialisation, dropout and two microbatches.
For each architecture, prints the largest differences of losses, of gradient norms, of parameters.
"""

import argparse
import dataclasses
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np

from t2t.data.converters import (
    DecoderFeatureConverter,
    EncDecFeatureConverter,
    EncoderFeatureConverter,
)
from t2t.models.activations import ACTIVATIONS
from t2t.models.attention import Attention
from t2t.models.config import Compute, Dropout
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, ModelConfig
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import HeadTransform, LMHead
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.positions import LearnedPositions, RelativeBias, RoPE
from t2t.models.stack import Stack
from t2t.training.optimizers import adafactor, adamw, sgd
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule
from t2t.training.state import start_from, state_shardings
from t2t.training.step import make_train_step

MESHES = tuple(
    (8 // fsdp // tensor, fsdp, tensor)
    for fsdp in (1, 2, 4, 8)
    for tensor in (1, 2, 4, 8)
    if fsdp * tensor <= 8
)
"""All ten of (data, fsdp, tensor)."""
SEQUENCE_MESHES = ((1, 2, 2, 2), (1, 1, 1, 8))
"""Some of (data, fsdp, tensor, sequence)."""

OPTIMIZERS = {
    "sgd": sgd(constant_schedule(0.3)),
    "adafactor": adafactor(constant_schedule(0.01), min_dim_size_to_factor=8),
    "adamw": adamw(constant_schedule(0.001)),
}
VOCAB, ROWS, LENGTH, MASK = 64, 16, 16, 2

_attention = Attention(8, 4, num_kv_heads=4, scale=1.0)
_stack = Stack(2, 16, _attention, FeedForward(32), RMSNorm(), RelativeBias(8, 16))
_common: dict[str, Any] = {
    "dropout": Dropout(*[0.1] * 5),
    "compute": Compute(remat="full"),
}
ARCHITECTURES: dict[str, ModelConfig] = {
    "encoder-decoder": EncoderDecoder(
        VOCAB,
        _stack,
        dataclasses.replace(_stack, cross_attention=Attention(8, 4)),
        LMHead(tied=False),
        **_common,
    ),
    "decoder-only": DecoderOnly(
        VOCAB, dataclasses.replace(_stack, positions=RoPE()), prefix_lm=True, **_common
    ),
    "encoder-only": EncoderOnly(
        VOCAB,
        dataclasses.replace(_stack, positions=LearnedPositions(LENGTH), norm=LayerNorm()),
        (LMHead(bias=True, transform=HeadTransform(next(iter(ACTIVATIONS)), LayerNorm())),),
        **_common,
    ),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What a few steps gave: a loss and a gradient norm of each, and parameters in the end."""

    losses: list[float]
    grad_norms: list[float]
    params: Any

    def differences(self, other: "Run") -> tuple[float, float, float]:
        """The largest of losses, of gradient norms and of parameters."""
        apart = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), self.params, other.params)
        pairs = (self.losses, other.losses), (self.grad_norms, other.grad_norms)
        losses, norms = (float(np.abs(np.subtract(a, b)).max()) for a, b in pairs)
        return losses, norms, max(jax.tree.leaves(apart))


@functools.cache
def batch(architecture: str, index: int) -> dict[str, np.ndarray]:
    """Rows of one to three examples of very different lengths."""
    rng = np.random.default_rng(index)

    def example() -> dict[str, np.ndarray]:
        lengths = rng.integers(2, 6, 2)
        inputs, targets = (rng.integers(3, VOCAB, n, dtype=np.int32) for n in lengths)
        if architecture == "encoder-only":
            targets = inputs.copy()
            inputs[rng.integers(0, len(inputs))] = MASK
        return {"inputs": inputs, "targets": targets}

    rows = [[example() for _ in range(rng.integers(1, 4))] for _ in range(ROWS)]
    lengths = {"inputs": LENGTH, "targets": LENGTH}
    if architecture == "encoder-decoder":
        return EncDecFeatureConverter().convert_rows(rows, lengths)
    if architecture == "encoder-only":
        return EncoderFeatureConverter(mask_id=MASK).convert_rows(rows, lengths)
    return DecoderFeatureConverter().convert_rows(rows, {"inputs": LENGTH, "targets": LENGTH})


@functools.cache
def initial_params(architecture: str) -> Any:
    """The same on every mesh; in matrices of gain one, so that gradients are large."""
    rng = np.random.default_rng(0)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        if leaf.ndim == 1:
            return np.ones(leaf.shape, np.float32)
        return rng.normal(size=leaf.shape).astype(np.float32) * leaf.shape[-2] ** -0.5

    return jax.tree.map(draw, Model(ARCHITECTURES[architecture]).abstract_params)


@functools.cache
def run(
    architecture: str, sizes: tuple[int, ...] | None, optimizer: str = "sgd", steps: int = 3
) -> Run:
    """Trains on a mesh (data, fsdp, tensor, sequence); None is one device."""
    model, update = Model(ARCHITECTURES[architecture]), OPTIMIZERS[optimizer]
    one = MeshShape().mesh(jax.devices()[:1])
    mesh = MeshShape(*sizes).mesh() if sizes else one
    step = make_train_step(model, update, mesh, microbatches=2, seed=1)
    state = jax.jit(lambda params: start_from(params, update))(initial_params(architecture))
    state = jax.device_put(jax.device_get(state), state_shardings(model, update, mesh))
    metrics = []
    for index in range(steps):
        state, measured = step(state, batch(architecture, index))
        metrics.append(jax.device_get(measured))
    return Run(
        [float(m["loss"].sum() / m["tokens"].sum()) for m in metrics],
        [float(m["grad_norm"]) for m in metrics],
        jax.device_get(state.params),
    )


def _sizes(word: str) -> tuple[int, ...]:
    return tuple(map(int, word.split(",")))


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; the status is 1 if something is further apart than `--limit`."""
    parser = argparse.ArgumentParser(prog="mesh_equality", description=__doc__)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--limit", type=float, default=1e-5)
    parser.add_argument("--mesh", type=_sizes, action="append", metavar="DATA,FSDP,TENSOR[,SEQ]")
    args = parser.parse_args(argv)
    worst = 0.0
    print("| data, fsdp, tensor, sequence | " + " | ".join(ARCHITECTURES) + " |")
    print("|---" * (1 + len(ARCHITECTURES)) + "|")
    for sizes in args.mesh or (*MESHES, *SEQUENCE_MESHES):
        cells = [", ".join(map(str, (*sizes, 1)[:4]))]
        for name in ARCHITECTURES:
            expected = run(name, None, args.optimizer, args.steps)
            apart = run(name, sizes, args.optimizer, args.steps).differences(expected)
            worst = max(worst, *apart)
            cells.append(", ".join(f"{x:.1e}" for x in apart))
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\nAt most {worst:.1e} apart; allowed: {args.limit:.0e}.")
    return int(worst > args.limit)


if __name__ == "__main__":
    sys.exit(main())
