"""The benchmark's figures as lines to read."""

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]


def setup_lines(report: Report) -> list[str]:
    """Where and with what: known before anything is measured."""
    mesh = ", ".join(f"{axis} {size}" for axis, size in report["mesh"].items())
    devices = f"{report['device_count']} x {report['device_kind']} ({report['platform']})"
    return [
        f"machine        {report['machine']}, load {report['load_average']:.1f}",
        f"devices        {devices}, mesh {mesh}",
        "versions       " + ", ".join(f"{k} {v}" for k, v in report["versions"].items()),
    ]


def compilation_lines(report: Report) -> list[str]:
    """What was compiled, and how long that took."""
    compute = report["model"]["compute"]
    return [
        f"model          {report['gin_file']}, {report['parameters']:,} parameters, "
        f"{compute['dtype']}, {report['optimizer']}, remat {compute['remat']}",
        f"batch          {report['batch_size']} rows of {report['inputs_length']}/"
        f"{report['targets_length']} tokens, microbatches {report['microbatches']}",
        f"compilation    {report['lower_seconds']:.2f} s lowering, "
        f"{report['compile_seconds']:.2f} s XLA",
        f"first step     {report['first_step_seconds']:.3f} s",
    ]


def result_lines(report: Report) -> list[str]:
    """Speed and memory of t2t's step."""
    matmul = report["matmul_flops_per_second"]
    dtype, size = report["model"]["compute"]["dtype"], matmul["size"]
    return [
        _step_line("t2t", report["step_seconds"], report["steps"]),
        f"throughput     {report['tokens_per_second']:,.0f} tokens/s (inputs + targets), "
        f"{report['sequences_per_second']:,.1f} sequences/s",
        f"peak memory    {report['peak_memory_bytes'] / 2**30:.2f} GiB per device "
        f"({report['peak_memory_source']})",
        f"model FLOPs    {report['model_flops_per_step'] / 1e9:,.1f} GFLOP per step, "
        f"{_rate(report['model_flops_per_second'])}",
        f"matmul rate    {_rate(matmul['before'])} before, {_rate(matmul['after'])} after, "
        f"mean {_rate(matmul['mean'])} per device ({dtype}, {size} x {size})",
        f"MFU            {report['mfu']:.1%} of the mean matmul rate",
        f"loss           {report['loss']:.4f}",
    ]


def compared_lines(report: Report) -> list[str]:
    """The peers' steps, and t2t's share of their time."""
    lines = []
    for name, peer in report["compared"].items():
        pairs = peer["t2t_over_torch_pairs"]
        lines += [
            _step_line(name, peer["step_seconds"], report["steps"]),
            f"  t2t takes    {peer['t2t_over_torch_medians']:.3f} of it by medians; by pairs "
            f"{pairs['median']:.3f}, from {pairs['min']:.3f} to {pairs['max']:.3f}",
        ]
    return lines + [f"{name:<14} {why}" for name, why in report["unavailable"].items()]


def _step_line(name: str, times: Mapping[str, float], steps: int) -> str:
    return (
        f"{name:<14} median {times['median']:.4f} s per step, {times['min']:.4f} to "
        f"{times['max']:.4f}, interquartile range {times['iqr']:.4f}, {steps} steps"
    )


def _rate(flops_per_second: float) -> str:
    if flops_per_second >= 1e12:
        return f"{flops_per_second / 1e12:,.1f} TFLOP/s"
    return f"{flops_per_second / 1e9:,.1f} GFLOP/s"
