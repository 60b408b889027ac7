"""Measures t2t's train step: any model file, any shape, on whatever device is there.

Needs jax, flax, optax, numpy and gin-config; t2t itself need not be installed. `--compare_torch`
also needs the `parity` extra. What the figures mean is in docs/performance.md.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax
import model_file
from flags import parse
from jax.sharding import Mesh
from measure import (
    Shape,
    TrainStep,
    interleaved,
    largest_step,
    matmul_rate,
    spread,
    synthetic_batch,
    timed,
)
from report import compared_lines, compilation_lines, result_lines, setup_lines

from t2t.errors import UserError
from t2t.models.definition import ModelConfig
from t2t.models.encoder_only import EncoderOnly
from t2t.models.serialization import to_dict
from t2t.training.flops import train_flops
from t2t.training.optimizers import Optimizer, adafactor, adamw
from t2t.training.partitioning import MeshShape, check_batch_size
from t2t.training.schedules import constant_schedule

LEARNING_RATE = 1e-4  # any that keeps the loss finite


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args, bindings = parse(list(sys.argv[1:] if argv is None else argv), description=__doc__)
    try:
        if args.output and not args.output.parent.is_dir():
            raise UserError(f"--output: there is no folder '{args.output.parent}'.")
        report = run(args, bindings)
    except UserError as error:
        print(f"train_step: error: {error}", file=sys.stderr)
        return 1
    if args.output:
        args.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(f"written to {args.output}")
    return 0


def run(args: argparse.Namespace, bindings: Sequence[str]) -> dict[str, Any]:
    """Measures and prints; returns what `--output` stores."""
    # Compile times are to be those of a first run.
    jax.config.update("jax_enable_compilation_cache", False)
    if args.compare_torch:  # two frameworks share the device: neither may take it all
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if args.batch_size is None:
        args.batch_size = 8 if jax.default_backend() == "cpu" else "auto"
    config = _model(args, bindings)
    optimizer = _optimizer(args)
    mesh = MeshShape(*args.mesh).mesh()
    shape = Shape(args.inputs_length, args.targets_length, args.microbatches)
    _check(args, mesh)

    report = _setup(args, config, mesh) | shape._asdict()
    _print(setup_lines(report))
    before, size = matmul_rate(config.compute.dtype)
    if args.batch_size == "auto":
        step, first_step = largest_step(config, optimizer, mesh, shape)
    else:
        step = TrainStep(config, optimizer, mesh, args.batch_size, shape)
        step.start()
        first_step = timed(step)
    report |= {
        "parameters": step.parameters,
        "batch_size": step.rows,
        "lower_seconds": step.lower_seconds,
        "compile_seconds": step.compile_seconds,
        "first_step_seconds": first_step,
    }
    _print(compilation_lines(report))
    peers, unavailable = _peers(config, step, shape) if args.compare_torch else ({}, {})
    seconds = interleaved({"t2t": step, **peers}, args.warmup, args.steps)
    after, _ = matmul_rate(config.compute.dtype)

    times = spread(seconds["t2t"])
    targets_length = 0 if isinstance(config, EncoderOnly) else shape.targets_length
    tokens = step.rows * (shape.inputs_length + targets_length)
    flops = train_flops(config, shape.inputs_length, targets_length, step.rows)
    rate = statistics.mean([before, after])
    # Simulated devices of a CPU share its cores.
    peak_rate = rate * (1 if jax.default_backend() == "cpu" else mesh.size)
    memory, memory_source = step.peak_memory()
    report |= {
        "step_seconds": times | {"all": seconds["t2t"]},
        "tokens_per_step": tokens,
        "tokens_per_second": tokens / times["median"],
        "sequences_per_second": step.rows / times["median"],
        "peak_memory_bytes": memory,
        "peak_memory_source": memory_source,
        "model_flops_per_step": flops,
        "model_flops_per_second": flops / times["median"],
        "matmul_flops_per_second": {"before": before, "after": after, "mean": rate, "size": size},
        "mfu": flops / times["median"] / peak_rate,
        "loss": step.loss(),
    }
    _print(result_lines(report))
    if args.compare_torch:
        report["unavailable"] = unavailable
        report["compared"] = {
            name: {
                "step_seconds": spread(seconds[name]) | {"all": seconds[name]},
                "t2t_over_torch_medians": times["median"] / statistics.median(seconds[name]),
                "t2t_over_torch_pairs": spread(
                    [a / b for a, b in zip(seconds["t2t"], seconds[name], strict=True)]
                ),
                "loss": peer.loss(),
            }
            for name, peer in peers.items()
        }
        _print(compared_lines(report))
    return report


def _model(args: argparse.Namespace, bindings: Sequence[str]) -> ModelConfig:
    dtype = args.dtype or ("float32" if jax.default_backend() == "cpu" else "bfloat16")
    flags = [f"Compute.dtype = {dtype!r}"]
    flags += [f"Compute.remat = {args.remat!r}"] if args.remat else []
    return model_file.load(args.gin_file, [*flags, *bindings])


def _optimizer(args: argparse.Namespace) -> Optimizer:
    rate = constant_schedule(LEARNING_RATE)
    return adamw(rate) if _optimizer_name(args) == "adamw" else adafactor(rate)


def _optimizer_name(args: argparse.Namespace) -> str:
    return args.optimizer or ("adamw" if args.compare_torch else "adafactor")


def _check(args: argparse.Namespace, mesh: Mesh) -> None:
    if args.batch_size != "auto":
        check_batch_size(args.batch_size, mesh, microbatches=args.microbatches)
    if not args.compare_torch:
        return
    if _optimizer_name(args) != "adamw":
        raise UserError("--compare_torch compares AdamW: leave out --optimizer.")
    if args.batch_size == "auto":
        raise UserError("--compare_torch needs a number for --batch_size, as memory is shared.")
    if mesh.size > 1:
        raise UserError(f"--compare_torch compares one device, not {mesh.size}.")
    import torch_t5

    torch_t5.check_device(jax.default_backend())


def _setup(args: argparse.Namespace, config: ModelConfig, mesh: Mesh) -> dict[str, Any]:
    packages = ["jax", "flax", "optax"] + ["torch", "transformers"] * args.compare_torch
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "load_average": os.getloadavg()[0],
        "platform": jax.default_backend(),
        "device_kind": jax.devices()[0].device_kind,
        "device_count": mesh.size,
        "mesh": dict(mesh.shape),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "gin_file": args.gin_file,
        "model": to_dict(config),
        "optimizer": _optimizer_name(args),
        "steps": args.steps,
    }


def _peers(config: ModelConfig, step: TrainStep, shape: Shape) -> tuple[dict, dict[str, str]]:
    """PyTorch's steps by name, each run once, and why others are missing."""
    import torch_t5

    batch = synthetic_batch(config, step.rows, shape)
    peers, unavailable = {}, {}
    for name in ("torch eager", "torch compile"):
        compiled = name == "torch compile"
        peer = torch_t5.TorchStep(
            config, batch, shape.microbatches, LEARNING_RATE, compiled=compiled
        )
        if peer.parameters != step.parameters:
            raise RuntimeError(f"{name} has {peer.parameters:,} parameters: another model")
        try:
            print(f"{name:<14} first step {timed(peer):.2f} s", flush=True)
        except Exception as error:  # torch.compile has many classes for a missing compiler
            if not compiled:
                raise
            unavailable[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            print(f"{name:<14} unavailable, {unavailable[name]}", flush=True)
        else:
            peers[name] = peer
    return peers, unavailable


def _print(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
