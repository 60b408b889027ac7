"""Trains a SentencePiece model with T5's ids: padding 0, end of sequence 1, unknown 2, no start.

Sentinels are no part of the model: `t2t.SentencePieceVocabulary(model, extra_ids=100)` adds them.
"""

import argparse
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sentencepiece

from t2t.data.sources import TextLineDataSource
from t2t.errors import UserError
from t2t.user_modules import import_user_module

EXTRA_IDS = 100
ROWS_MULTIPLE = 128  # of the embedding table, so that it divides over devices
MAX_LINES = 10_000_000  # a random sample of more is enough, and fits in memory
MAX_LINE_BYTES = 1 << 20  # SentencePiece drops lines above 4192 without an error, unless told

EXAMPLES = """examples:
  python tools/train_sentencepiece.py --input 'corpus/*.txt' --output spm.model
  python tools/train_sentencepiece.py --task sotu_span_corruption --vocab_size 8000 \\
      --model_type bpe --byte_fallback --output sotu.model"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        if not args.output.parent.is_dir():
            raise UserError(f"--output: there is no folder '{args.output.parent}'.")
        if args.output.is_dir():
            raise UserError(f"--output: '{args.output}' is a folder; name the model file.")
        sys.path.insert(0, os.getcwd())  # for --import, as `t2t` has it
        for module in args.imports:
            import_user_module(module)
        lines = _file_lines(args.input) if args.input else _task_lines(args.task, args.split)
        model = train(
            lines,
            args.vocab_size,
            args.model_type,
            args.character_coverage,
            args.byte_fallback,
            args.keep_whitespace,
            args.normalizer,
            args.symbols,
            args.control_symbols,
        )
    except UserError as error:
        print(f"train_sentencepiece: error: {error}", file=sys.stderr)
        return 1
    _write(model, args.output)
    rows = -(-(args.vocab_size + EXTRA_IDS) // ROWS_MULTIPLE) * ROWS_MULTIPLE
    print(f"{args.output}: {args.vocab_size:,} pieces, {len(model):,} bytes")
    print(f'In a task:   t2t.SentencePieceVocabulary("{args.output}", extra_ids={EXTRA_IDS})')
    print(f"In training: --gin.VOCAB_SIZE={rows}")
    return 0


def train(
    lines: Iterator[str],
    vocab_size: int,
    model_type: str = "unigram",
    character_coverage: float = 0.9995,
    byte_fallback: bool = False,
    keep_whitespace: bool = False,
    normalizer: str = "nmt_nfkc",
    symbols: Sequence[str] = (),
    control_symbols: Sequence[str] = (),
) -> bytes:
    """The model file's bytes.

    Args:
      lines: text; read once.
      vocab_size: pieces, the three special ones included and the sentinels not.
      model_type: "unigram" or "bpe".
      character_coverage: share of the text's characters that get a piece; the rest is unknown.
      byte_fallback: spell characters without a piece in bytes, so that nothing is unknown.
      keep_whitespace: neither merge nor strip spaces, and give newline and tab a piece each, which
        are spaces otherwise: for code, tables and verse.
      normalizer: of SentencePiece's, by name; all but "identity" add a table of 240 kB to the file.
      symbols: tokens that are found in text at the start of a word, such as "[MASK]".
      control_symbols: tokens that text never makes and that have none, such as "<s>".

    Raises:
      UserError: if SentencePiece cannot make such a model of this text.
    """
    if not 0.98 <= character_coverage <= 1:
        raise UserError(f"character_coverage must be 0.98 to 1, got {character_coverage}.")
    failures: list[Exception] = []

    def watched() -> Iterator[str]:
        try:
            yield from lines
        except Exception as error:  # SentencePiece makes a RuntimeError of it
            failures.append(error)
            raise

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=watched(),
            model_writer=model,
            vocab_size=vocab_size,
            model_type=model_type,
            character_coverage=character_coverage,
            byte_fallback=byte_fallback,
            remove_extra_whitespaces=not keep_whitespace,
            normalization_rule_name=normalizer,
            control_symbols=list(control_symbols),
            user_defined_symbols=[
                *(["\n", "\t"] if keep_whitespace else []),
                *(f"\u2581{symbol}" for symbol in symbols),
            ],
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            input_sentence_size=MAX_LINES,
            shuffle_input_sentence=True,
            max_sentence_length=MAX_LINE_BYTES,
            minloglevel=2,  # errors alone
        )
    except RuntimeError as error:
        if failures:
            raise failures[0] from None
        if "sentences_.empty()" in str(error):
            raise UserError("The text has nothing but empty lines.") from error
        # What follows the place in its source: among others, the largest possible vocab_size.
        reason = re.sub(r"^.*\.cc\(\d+\) \[.*\] ", "", " ".join(str(error).split()))
        raise UserError(f"SentencePiece: {reason}") from error
    return model.getvalue()


def _file_lines(patterns: Sequence[str]) -> Iterator[str]:
    source = TextLineDataSource({"all": patterns}, max_line_bytes=MAX_LINE_BYTES)
    return (example["text"] for example in source.examples("all"))


def _task_lines(name: str, split: str) -> Iterator[str]:
    """Lines of the preprocessed strings of a task's, or of each of a mixture's tasks', examples."""
    from t2t.data import randomness
    from t2t.data.mixtures import leaf_tasks
    from t2t.data.registry import get_mixture_or_task

    for task in leaf_tasks(get_mixture_or_task(name)):
        rng = randomness.generator(0)
        for raw in task.raw_examples(split):
            for example in task.preprocess(raw, rng) if raw is not None else ():
                for feature in task.output_features:
                    text = example.get(feature)
                    if isinstance(text, str):
                        yield from text.splitlines()


def _write(model: bytes, path: Path) -> None:
    """All or nothing: a reader never sees half a model."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(model)
            os.chmod(file.name, 0o644)  # a temporary file is its owner's alone
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train_sentencepiece",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog=EXAMPLES,
    )
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument("--input", nargs="+", metavar="FILE", help="UTF-8 text files, or patterns")
    text.add_argument("--task", metavar="NAME", help="registered task or mixture: its strings")
    add = parser.add_argument
    add("--import", dest="imports", action="append", default=[], metavar="MODULE", help=
        "Python module to import first, such as one that registers tasks; repeatable")  # fmt: skip
    add("--split", default="train", help="of the task (default: train)")
    add("--vocab_size", type=int, default=32_000, metavar="N", help=
        "pieces, special ones included (default: 32000, as T5)")  # fmt: skip
    add("--model_type", choices=("unigram", "bpe"), default="unigram", help="default: unigram")
    add("--character_coverage", type=float, default=0.9995, metavar="SHARE", help=
        "share of the text's characters that get a piece (default: 0.9995)")  # fmt: skip
    add("--byte_fallback", action="store_true", help=
        "spell other characters in bytes, so that nothing is unknown; takes 256 pieces"
    )  # fmt: skip
    add("--keep_whitespace", action="store_true", help=
        "keep runs of spaces, newlines and tabs, as code needs; newline and tab take a piece each"
    )  # fmt: skip
    add("--normalizer", default="nmt_nfkc", choices=("nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf",
        "identity"), help="default: nmt_nfkc; all but identity add a table of 240 kB")  # fmt: skip
    add("--symbols", nargs="+", default=[], metavar="TOKEN", help=
        "tokens of their own wherever they begin a word, such as [MASK]; the vocabulary calls them "
        "'\u2581[MASK]'")  # fmt: skip
    add("--control_symbols", nargs="+", default=[], metavar="TOKEN", help=
        "tokens that no text makes, such as <s>")  # fmt: skip
    add("--output", type=Path, required=True, metavar="PATH.model")
    return parser


if __name__ == "__main__":
    sys.exit(main())
