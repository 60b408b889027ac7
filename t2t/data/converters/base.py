"""What a feature converter is, and the validation that all of them share."""

import abc
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from t2t.data.converters.rows import RowLayout, concatenate, sizes_of
from t2t.data.features import SequenceLength
from t2t.data.packing import next_fit
from t2t.errors import UserError, did_you_mean

TokenExample = Mapping[str, np.ndarray]
Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureConverter(abc.ABC):
    """Token examples in, the arrays of one model architecture out; all int32 `[rows, length]`.

    Attributes:
      pack: put several examples in a row, told apart by segment ids.
      apply_length_check: raise on sequences longer than their length instead of cutting them.
      passthrough_features: further features to pad to their own length and to pass on under their
        own name; not with packing.
      pad_id: fills up rows of tokens; 0 in the vocabularies of T5.
      task_features: what every example must have.
      loss_side: "decoder" or "encoder", the prefix of the loss weights and their segment ids.
    """

    pack: bool = True
    apply_length_check: bool = True
    passthrough_features: tuple[str, ...] = ()
    pad_id: int = 0

    task_features: ClassVar[tuple[str, ...]]
    loss_side: ClassVar[str]

    def __post_init__(self):
        if self.pack and self.passthrough_features:
            raise UserError("Packing is incompatible with pass-through features.")

    def row_lengths(self, lengths: SequenceLength) -> dict[str, int]:
        """How many tokens a row holds, per axis on which examples are packed."""
        self.check_lengths(lengths)
        return {name: lengths[name] for name in self.task_features}

    def sizes(self, example: TokenExample) -> tuple[int, ...]:
        """How many tokens an example has on each axis of `row_lengths`, in that order."""
        return tuple(len(self.feature(name, example)) for name in self.task_features)

    @abc.abstractmethod
    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        """Converts rows of one example each or, packed, of any number that fits.

        Raises:
          UserError: if `lengths` names other features than this converter takes; if a feature of
            an example is missing, not of integers within int32, not of rank 1, or (with
            `apply_length_check`) too long.
        """

    def rows(
        self, examples: Iterable[TokenExample], lengths: SequenceLength
    ) -> Iterator[list[TokenExample]]:
        """Groups examples into rows of one each or, packed, of as many as fit, in order."""
        if not self.pack:
            return ([example] for example in examples)
        return next_fit(examples, self.sizes, list(self.row_lengths(lengths).values()))

    def __call__(self, examples: Sequence[TokenExample], lengths: SequenceLength) -> Batch:
        """Converts examples to rows of one each or, packed, of as many as fit, in order."""
        return self.convert_rows(list(self.rows(examples, lengths)), lengths)

    def check_lengths(self, lengths: SequenceLength) -> None:
        """Raises UserError unless `lengths` names exactly the features that have a length."""
        expected = {*self.task_features, *self.passthrough_features}
        source = "The task_feature_lengths {} features {} in the TASK_FEATURES: {}"
        if extra := set(lengths) - expected:
            raise UserError(source.format("contains extra", "not specified", _braced(extra)))
        if missing := expected - set(lengths):
            raise UserError(source.format("is missing", "specified", _braced(missing)))

    def feature(self, name: str, example: TokenExample) -> np.ndarray:
        """`example[name]`; raises UserError if there is none."""
        try:
            return example[name]
        except KeyError:
            raise UserError(
                f"{type(self).__name__} needs the feature '{name}', but an example has only "
                f"{', '.join(map(repr, example)) or 'no feature at all'}."
                + did_you_mean(name, example)
            ) from None

    def sequences(
        self, name: str, examples: Sequence[TokenExample], length: int | None = None
    ) -> list[np.ndarray]:
        """One feature of all examples: its presence, type, rank and length are validated."""
        arrays = [self.feature(name, example) for example in examples]
        for dtype, rank in {(array.dtype, array.ndim) for array in arrays}:
            if not np.can_cast(dtype, np.int32):
                raise UserError(
                    f"Feature '{name}' has the incorrect type {dtype}, expected int32. If these "
                    f"are token ids, make them int32 with .astype('int32')."
                )
            if rank != 1:
                raise UserError(f"Feature '{name}' has the incorrect rank {rank}, expected 1.")
        if length is not None and self.apply_length_check:
            _check_length(
                f"Feature '{name}' of an example", max(map(len, arrays), default=0), length
            )
        return arrays

    def layout(self, name: str, sizes: np.ndarray, counts: np.ndarray, width: int) -> RowLayout:
        """How examples of int64 `[examples]` tokens lie in rows of `[rows]` examples each."""
        layout = RowLayout(sizes, counts, width)
        if self.apply_length_check:
            _check_length(f"Feature '{name}' of a row", layout.used.max(initial=0), width)
        return layout

    def place(
        self, name: str, examples: Sequence[TokenExample], counts: np.ndarray, length: int
    ) -> tuple[np.ndarray, RowLayout]:
        """Int32 `[rows, length]` tokens of one feature, and how they lie."""
        arrays = self.sequences(name, examples, length)
        layout = self.layout(name, sizes_of(arrays), counts, length)
        return layout.place(concatenate(arrays), self.pad_id), layout

    def passed_through(
        self, examples: Sequence[TokenExample], counts: np.ndarray, lengths: SequenceLength
    ) -> Batch:
        """The pass-through features, padded."""
        return {
            name: self.place(name, examples, counts, lengths[name])[0]
            for name in self.passthrough_features
        }


def _braced(names: Iterable[str]) -> str:
    return f"{{{', '.join(map(repr, sorted(names)))}}}"


def _check_length(what: str, tokens: int, length: int) -> None:
    if tokens > length:
        raise UserError(
            f"{what} has {tokens} tokens; its length is {length}. Raise the length, or cut what "
            f"is longer with apply_length_check=False."
        )


def make_autoregressive_inputs(
    targets: np.ndarray, sequence_id: np.ndarray | None = None, bos_id: int = 0
) -> np.ndarray:
    """Shifts integer `[..., length]` targets right by one, with `bos_id` first.

    With segment ids of the same shape, `bos_id` stands at every start of a segment, and of the
    padding, too.
    """
    if targets.dtype.kind not in "iu":
        raise UserError(f"Only integer types are supported, but the targets are {targets.dtype}.")
    inputs = np.empty_like(targets)
    inputs[..., :1] = bos_id
    inputs[..., 1:] = targets[..., :-1]
    if sequence_id is not None:
        if sequence_id.dtype.kind not in "iu":
            raise UserError(
                "The sequence_id should be integer-valued tensors for a packed dataset, but it is "
                f"{sequence_id.dtype}."
            )
        inputs[..., 1:][sequence_id[..., 1:] != sequence_id[..., :-1]] = bos_id
    return inputs
