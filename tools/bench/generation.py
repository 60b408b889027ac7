"""Measures generation on a CPU: t2t, Hugging Face Transformers and CTranslate2, by turns.

The same random weights, inputs and number of new tokens for all, float32, the same threads; the
end of sequence is forbidden. Needs the `parity` extra. What the figures mean is in
docs/performance.md.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["JAX_PLATFORMS"] = "cpu"

ROWS_AND_BEAMS = ((1, 1), (16, 1), (4, 4))
PAUSE = 0.3  # OpenMP's threads go on spinning for up to 0.2 s


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    bindings = [word.removeprefix("--gin.") for word in words if word.startswith("--gin.")]
    args = _parser().parse_args([word for word in words if not word.startswith("--gin.")])
    cores = sorted(os.sched_getaffinity(0))[: args.threads]
    os.sched_setaffinity(0, cores)  # before JAX counts them
    from t2t.errors import UserError

    try:
        if args.output and not args.output.parent.is_dir():
            raise UserError(f"--output: there is no folder '{args.output.parent}'.")
        report = _run(args, bindings, len(cores))
    except UserError as error:
        print(f"generation: error: {error}", file=sys.stderr)
        return 1
    if args.output:
        args.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(f"written to {args.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="generation",
        allow_abbrev=False,
        description=__doc__,
        epilog="--gin.NAME=VALUE binds a parameter of the model.",
    )
    add = parser.add_argument
    add("--gin_file", default="models/t5_1_1_small.gin", metavar="FILE", help=
        "model file, looked for here and in gin/ (default: %(default)s)")  # fmt: skip
    add("--inputs_length", type=int, default=64, metavar="N", help="default: 64")
    add("--new_tokens", type=int, default=64, metavar="N", help="default: 64")
    add("--runs", type=int, default=5, metavar="N", help="measured, of each (default: 5)")
    add("--warmup", type=int, default=1, metavar="N", help="before, unmeasured (default: 1)")
    add("--threads", type=int, metavar="N", help="default: all cores")
    add("--output", type=Path, metavar="FILE", help="write all figures there as JSON")
    return parser


def _run(args: argparse.Namespace, bindings: Sequence[str], threads: int) -> dict[str, Any]:
    """Measures and prints; returns what `--output` stores."""
    import generation_peers as peers
    import jax
    import model_file
    import numpy as np
    from generation_case import T2T, Case, random_inputs
    from measure import spread

    from t2t.errors import UserError
    from t2t.models.definition import Model
    from t2t.models.encoder_decoder import EncoderDecoder
    from t2t.models.serialization import to_dict

    config = model_file.load(args.gin_file, ["Compute.dtype = 'float32'", *bindings])
    if not isinstance(config, EncoderDecoder):
        raise UserError("CTranslate2 is given a T5, so --gin_file has to be one.")
    packages = ("jax", "torch", "transformers", "ctranslate2")
    report: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {threads} threads",
        "load_average": os.getloadavg()[0],
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "gin_file": args.gin_file,
        "model": to_dict(config),
        "inputs_length": args.inputs_length,
        "new_tokens": args.new_tokens,
        "cases": {},
    }
    print(f"machine        {report['machine']}, load {report['load_average']:.1f}")
    print("versions       " + ", ".join(f"{k} {v}" for k, v in report["versions"].items()))
    params = jax.jit(Model(config).init)(jax.random.key(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = peers.export(config, jax.device_get(params), Path(temporary))
        for rows, beams in ROWS_AND_BEAMS:
            case = Case(rows, beams, args.new_tokens)
            inputs = random_inputs(config, rows, args.inputs_length)
            runners: dict[str, Callable[[], np.ndarray]] = {
                "t2t": T2T(config, params, case, inputs),
                "transformers": peers.Transformers(folder, case, inputs, threads),
                "ctranslate2": peers.CTranslate2(folder, case, inputs, threads),
            }
            said = {name: run() for name, run in runners.items()}
            for _ in range(args.warmup):
                _round(runners)
            rounds = [_round(runners) for _ in range(args.runs)]
            seconds = {name: [times[name] for times in rounds] for name in runners}
            tokens = rows * args.new_tokens
            report["cases"][str(case)] = found = {}
            for name, times in seconds.items():
                found[name] = {
                    "seconds": spread(times) | {"all": times},
                    "tokens_per_second": spread([tokens / t for t in times]),
                    "t2t_over_it": spread(
                        [b / a for a, b in zip(seconds["t2t"], times, strict=True)]
                    ),
                    "same_tokens": float(np.mean(said[name] == said["t2t"])),
                }
                _print(str(case), name, found[name])
    return report


def _round(runners: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of each, one after the other, once the threads of the one before have gone idle."""
    seconds = {}
    for name, run in runners.items():
        time.sleep(PAUSE)
        started = time.perf_counter()
        run()
        seconds[name] = time.perf_counter() - started
    return seconds


def _print(case: str, name: str, found: dict[str, Any]) -> None:
    speed, ratio = found["tokens_per_second"], found["t2t_over_it"]
    line = (
        f"{case:<20} {name:<13} {speed['median']:,.0f} tokens/s ({speed['min']:,.0f} to "
        f"{speed['max']:,.0f})"
    )
    if name != "t2t":
        line += (
            f"; t2t is {ratio['median']:.2f} times as fast ({ratio['min']:.2f} to "
            f"{ratio['max']:.2f}); {found['same_tokens']:.1%} of the tokens are the same"
        )
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
