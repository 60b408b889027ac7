"""Compares attention by cuDNN with plain attention on a GPU: outputs, gradients and time.

  python tools/bench/attention.py                     # 512/512, 12 heads of 64, with T5's bias
  python tools/bench/attention.py --only padded packed --batch_size 8 --length 1024

Errors are norms relative to plain attention in float32, of both implementations in bfloat16; the
gradients include that of the bias table [heads, buckets]. Exits with 1 if cuDNN's are more than
twice plain attention's and above 1 %.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from t2t.models.dot_product_attention import dot_product_attention
from t2t.models.masks import AttentionMask

CASES = (
    "unmasked",
    "padded",
    "causal",
    "causal-padded",
    "causal-window",
    "window",
    "packed",
    "causal-packed",
    "prefix",
    "no-bias-causal",
    "no-bias-packed",
    "grouped-causal",
)
NAMES = ("out", "d_query", "d_key", "d_value", "d_table")
BUCKETS = 32


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="CASE", choices=CASES, default=CASES)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--head_dim", type=int, default=64)
    parser.add_argument("--runs", type=int, default=20)
    flags = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, {flags}")
    print(f"{'':>15} {'':>5} {'ms':>8} " + " ".join(f"{name:>8}" for name in NAMES))
    return max(_compare(case, flags) for case in flags.only)


def _compare(case: str, flags: argparse.Namespace) -> int:
    mask, inputs = _mask(case, flags), _inputs(case, flags)
    wide = tuple(x.astype(jnp.float32) for x in inputs)
    with jax.default_matmul_precision("highest"):
        expected = _step("xla", case, mask, flags.length)(*wide)
    errors, ok = {}, True
    for implementation in ("xla", "cudnn"):
        step = _step(implementation, case, mask, flags.length)
        found = step(*inputs)
        errors[implementation] = [_error(x, y) for x, y in zip(found, expected, strict=True)]
        cells = " ".join(f"{error:8.4f}" for error in errors[implementation])
        milliseconds = 1000 * _seconds(lambda step=step: step(*inputs), flags.runs)
        print(f"{case:>15} {implementation:>5} {milliseconds:8.3f} {cells}", flush=True)
    for name, plain, fused in zip(NAMES, errors["xla"], errors["cudnn"], strict=True):
        if not fused <= max(0.01, 2 * plain):  # NaN, too
            print(f"{case:>15} {name}: the error of cudnn is too large")
            ok = False
    return 0 if ok else 1


def _inputs(case: str, flags: argparse.Namespace) -> tuple[jax.Array, ...]:
    """Query, key, value, cotangent of the output (bfloat16) and table of the bias (float32)."""
    rng = np.random.default_rng(0)
    shape = (flags.batch_size, flags.length, flags.heads, flags.head_dim)
    shared = (*shape[:2], 1, shape[3]) if case.startswith("grouped") else shape
    arrays = [rng.normal(size=s, scale=0.5) for s in (shape, shared, shared, shape)]
    table = jnp.asarray(rng.normal(size=(flags.heads, BUCKETS)), jnp.float32)
    return *(jnp.asarray(a, jnp.bfloat16) for a in arrays), table


def _mask(case: str, flags: argparse.Namespace) -> AttentionMask:
    batch, length = flags.batch_size, flags.length
    places = np.arange(length)[None]
    lengths = np.random.default_rng(1).integers(1, length + 1, (batch, 1))
    padded = jnp.asarray(places < lengths, jnp.int32)
    packed = jnp.asarray(1 + (places >= lengths), jnp.int32)
    return AttentionMask(
        causal="causal" in case or case == "prefix",
        window=length // 4 if "window" in case else None,
        prefix=padded.astype(bool) if case == "prefix" else None,
        key_segments=padded if "padded" in case else packed if "packed" in case else None,
        query_segments=packed if "packed" in case else None,
    )


def _step(implementation: str, case: str, mask: AttentionMask, length: int) -> Callable:
    """Output and gradients, compiled."""
    distances = jnp.arange(length)[None, :] - jnp.arange(length)[:, None]
    buckets = jnp.clip(distances + BUCKETS // 2, 0, BUCKETS - 1)

    def attend(query, key, value, table):
        return dot_product_attention(
            query,
            key,
            value,
            mask=mask,
            bias=None if case.startswith("no-bias") else table[:, buckets][None],
            scale=query.shape[-1] ** -0.5,
            implementation=implementation,
        )

    @jax.jit
    def step(query, key, value, cotangent, table):
        out, backward = jax.vjp(attend, query, key, value, table)
        return out, *backward(cotangent)

    return step


def _error(found: jax.Array, expected: jax.Array) -> float:
    expected = expected.astype(jnp.float32)
    norm = float(jnp.linalg.norm(expected.reshape(-1)))
    difference = found.astype(jnp.float32) - expected
    return float(jnp.linalg.norm(difference.reshape(-1))) / (norm or 1.0)


def _seconds(run: Callable, runs: int) -> float:
    """The median of `runs`, after one that is not counted."""
    jax.block_until_ready(run())
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        jax.block_until_ready(run())
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
