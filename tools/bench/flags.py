"""Flags of the train step's benchmark."""

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = """examples:
  python tools/bench/train_step.py                       # T5 1.1 base at 512/114
  python tools/bench/train_step.py --gin_file models/bytes_tiny.gin --batch_size 8 \\
      --inputs_length 64 --targets_length 32 --compare_torch
  python tools/bench/train_step.py --gin_file models/t5_1_1_xl.gin --mesh 1,8,1 --remat minimal \\
      --gin.VOCAB_SIZE=32256 --output xl.json"""


def parse(words: Sequence[str], description: str) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and what `--gin.` binds."""
    bindings = [word.removeprefix("--gin.") for word in words if word.startswith("--gin.")]
    flags = [word for word in words if not word.startswith("--gin.")]
    return _parser(description).parse_args(flags), bindings


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train_step",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=description,
        epilog="--gin.NAME=VALUE binds a parameter of the model, after the file and the flags.\n\n"
        + EXAMPLES,
    )
    add = parser.add_argument
    add("--gin_file", default="models/t5_1_1_base.gin", metavar="FILE", help=
        "model file, looked for here and in gin/ (default: %(default)s)")  # fmt: skip
    add("--inputs_length", type=_positive, default=512, metavar="N", help="default: 512")
    add("--targets_length", type=_positive, default=114, metavar="N", help="default: 114")
    add("--batch_size", type=_rows, metavar="N|auto", help=
        "rows per step; auto: the largest power of two, times microbatches and devices along data "
        "and fsdp, that fits in memory (default: auto; on a CPU, where that takes long, 8)"
    )  # fmt: skip
    add("--microbatches", type=_positive, default=1, metavar="N", help=
        "parts of the batch whose gradients are accumulated (default: 1)")  # fmt: skip
    add("--dtype", help=
        "of activations and matrix products: float32 or bfloat16 (default: bfloat16 on GPU and "
        "TPU, float32 on CPU)")  # fmt: skip
    add("--remat", help=
        "what the backward pass computes again: none, minimal or full (default: the model file's)"
    )  # fmt: skip
    add("--optimizer", choices=("adafactor", "adamw"), help=
        "default: adafactor; with --compare_torch, adamw")  # fmt: skip
    add("--steps", type=_positive, default=20, metavar="N", help="measured (default: 20)")
    add("--warmup", type=int, default=3, metavar="N", help="run before, unmeasured (default: 3)")
    add("--mesh", type=_mesh, default=(-1, 1, 1), metavar="DATA,FSDP,TENSOR", help=
        "devices along each axis, -1 for all that are left; --mesh=-1,1,1 is the default"
    )  # fmt: skip
    add("--compare_torch", action="store_true", help=
        "measure Hugging Face's PyTorch T5 too, eager and compiled, in turn with t2t: same shape, "
        "dtype, batch, and AdamW")  # fmt: skip
    add("--output", type=Path, metavar="FILE", help="write all figures there as JSON")
    return parser


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None


def _positive(text: str) -> int:
    value = _integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _rows(text: str) -> int | str:
    return text if text == "auto" else _positive(text)


def _mesh(text: str) -> tuple[int, ...]:
    sizes = tuple(_integer(size) for size in text.split(","))
    if len(sizes) != 3:
        raise argparse.ArgumentTypeError(f"'{text}' is not three numbers")
    return sizes
