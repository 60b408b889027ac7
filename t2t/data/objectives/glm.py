"""GLM's autoregressive blank infilling, for decoders that see a prefix in both directions.

Du et al., "GLM: General Language Model Pretraining with Autoregressive Blank Infilling" (arXiv
2103.10360), section 2.1. A row is Part A, the text with one mask token for each span, and Part B,
the spans in random order, each behind a start token; the targets of Part B are shifted by one and
close each span with an end token. Positions have two dimensions: in Part A the place and 0, in
Part B the place of the span's mask token and 1, 2 ... within the span.

All features are aligned and equally long:
  inputs: Part A, then for each span the start token and the span.
  targets: padding under Part A, then for each span its tokens and the end token.
  loss_weights: 0 in Part A, 1 in Part B.
  prefix_mask: 1 in Part A, to which everything attends in both directions; 0 in Part B.
  positions, block_positions: the two dimensions, from 0.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from t2t.data.features import Feature, SequenceLength
from t2t.data.objectives.base import Segmentation
from t2t.data.objectives.batches import BatchObjective, Ragged
from t2t.data.objectives.lengths import noise_tokens
from t2t.data.objectives.sampling import integers, poisson_probabilities, subkeys
from t2t.data.objectives.sentences import piece_lengths, random_order, sentence_numbers
from t2t.data.objectives.spans import (
    Spans,
    most_spans,
    random_length_spans,
    spans_to_mask_token,
)
from t2t.data.objectives.special_tokens import refuse_eos, sentinel_id, special_id
from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class GlmObjective(BatchObjective):
    """Blank infilling, but for the choice of spans.

    Attributes:
      mask_id: of the token for a span in Part A, by default the vocabulary's; GLM has one for each
        of its three objectives.
      start_id: of the token before a span in Part B, by default the first sentinel.
      end_id: of the token after a span, by default the second sentinel.
      merge_documents: join documents before cutting them into rows.
    """

    mask_id: int | None = None
    start_id: int | None = None
    end_id: int | None = None
    merge_documents: bool = False

    extra_features: ClassVar[tuple[str, ...]] = (
        "loss_weights",
        "prefix_mask",
        "positions",
        "block_positions",
    )

    @abc.abstractmethod
    def most_spans(self, length: int) -> int:
        """The largest number of spans in a row of that many tokens."""

    @abc.abstractmethod
    def choose(self, tokens: np.ndarray, keys: np.ndarray, vocabulary: Vocabulary) -> Spans:
        """The spans to blank out in int32 `[rows, length]` tokens."""

    def segmentation(
        self, features: Mapping[str, Feature], sequence_length: SequenceLength
    ) -> Segmentation:
        refuse_eos(features, type(self).__name__)
        self.special_ids(features["inputs"].vocabulary)
        available = min(sequence_length["inputs"], sequence_length["targets"])
        length = available
        while length > 0 and length + 2 * self.most_spans(length) > available:
            length -= 1
        if length < 2:
            raise UserError(
                f"{type(self).__name__} has no room for 2 tokens and the tokens around its spans "
                f"in sequences of {available}: raise the lengths of inputs and targets."
            )
        return Segmentation(length, self.merge_documents)

    def corrupt(
        self, tokens: np.ndarray, keys: np.ndarray, features: Mapping[str, Feature]
    ) -> dict[str, Ragged]:
        vocabulary = features["inputs"].vocabulary
        mask_id, start_id, end_id = self.special_ids(vocabulary)
        spans = self.choose(tokens, keys, vocabulary)
        part_a, a_lengths, places = spans_to_mask_token(tokens, spans, mask_id)
        part_b = _blocks(spans, subkeys(keys, "span order"))
        from_text = np.pad(tokens, ((0, 0), (0, 1)))  # one more column, behind the last span

        def text(offset: int) -> np.ndarray:
            source = np.minimum(part_b.sources + offset, tokens.shape[1])
            return np.take_along_axis(from_text, source, axis=1)

        b_inputs = np.where(part_b.within == 0, start_id, text(-1))
        b_targets = np.where(part_b.is_last, end_id, text(0))
        b_places = np.take_along_axis(np.pad(places, ((0, 0), (0, 1))), part_b.spans, axis=1)
        a_positions = np.broadcast_to(np.arange(part_a.shape[1]), part_a.shape)
        parts: dict[str, tuple[Any, Any]] = {
            "inputs": (part_a, b_inputs),
            "targets": (0, b_targets),
            "loss_weights": (0, 1),
            "prefix_mask": (1, 0),
            "positions": (a_positions, b_places),
            "block_positions": (0, part_b.within + 1),
        }
        lengths = a_lengths + part_b.lengths
        column = np.arange(int(lengths.max(initial=0)))
        in_a = column < a_lengths[:, None]
        in_b = ~in_a & (column < lengths[:, None])
        a_used = np.arange(part_a.shape[1]) < a_lengths[:, None]
        b_used = np.arange(part_b.within.shape[1]) < part_b.lengths[:, None]
        made = {}
        for name, (a, b) in parts.items():
            out = np.zeros((len(tokens), len(column)), np.int32)
            out[in_a] = a if isinstance(a, int) else a[a_used]
            out[in_b] = b if isinstance(b, int) else b[b_used]
            made[name] = Ragged(out, lengths)
        return made

    def special_ids(self, vocabulary: Vocabulary) -> tuple[int, int, int]:
        """Those of `mask_id`, `start_id` and `end_id`; raises UserError if it lacks one."""
        name = type(self).__name__
        mask_id, start_id, end_id = self.mask_id, self.start_id, self.end_id
        if mask_id is None:
            mask_id = special_id(vocabulary, "mask_id", name)
        if start_id is None:
            start_id = sentinel_id(vocabulary, 0, f"{name} without a start_id")
        if end_id is None:
            end_id = sentinel_id(vocabulary, 1, f"{name} without an end_id")
        return mask_id, start_id, end_id


@dataclasses.dataclass(frozen=True)
class GlmBlankInfilling(GlmObjective):
    """Short spans: lengths from a Poisson distribution without 0, until they hold enough tokens.

    Attributes:
      noise_density: exact share of tokens inside spans.
      mean_span_length: of the Poisson distribution.
    """

    noise_density: float = 0.15
    mean_span_length: float = 3.0

    def __post_init__(self):
        if not 0 < self.noise_density < 1 or self.mean_span_length < 1:
            raise UserError(
                f"GlmBlankInfilling needs 0 < noise_density < 1 and mean_span_length >= 1, got "
                f"{self.noise_density} and {self.mean_span_length}."
            )

    def most_spans(self, length: int) -> int:
        return most_spans(noise_tokens(length, self.noise_density), self.mean_span_length)

    def choose(self, tokens, keys, vocabulary):
        length = tokens.shape[1]
        return random_length_spans(
            subkeys(keys, "spans"),
            length,
            noise_tokens(length, self.noise_density),
            poisson_probabilities(self.mean_span_length, smallest=1),
            self.most_spans(length),
        )


@dataclasses.dataclass(frozen=True)
class GlmSentenceInfilling(GlmObjective):
    """Whole sentences, in random order until they hold at least `noise_density` of the tokens.

    For sequence-to-sequence tasks. Sentences end where the vocabulary says (full stops).

    Attributes:
      noise_density: least share of tokens inside spans, `largest_number` allowing.
      largest_number: of sentences blanked out in a row; room is kept for them.
    """

    noise_density: float = 0.15
    largest_number: int = 8

    def __post_init__(self):
        if not 0 < self.noise_density < 1 or self.largest_number < 1:
            raise UserError(
                f"GlmSentenceInfilling needs 0 < noise_density < 1 and largest_number >= 1, got "
                f"{self.noise_density} and {self.largest_number}."
            )

    def most_spans(self, length: int) -> int:
        return min(self.largest_number, length)

    def choose(self, tokens, keys, vocabulary):
        length = tokens.shape[1]
        lengths = piece_lengths(sentence_numbers(tokens, vocabulary))
        order = random_order(lengths, subkeys(keys, "sentences"))[:, : self.largest_number]
        ordered = np.take_along_axis(lengths, order, axis=1)
        before = np.cumsum(ordered, axis=1) - ordered
        chosen = (before < self.noise_density * length) & (ordered > 0)
        starts = np.take_along_axis(np.cumsum(lengths, axis=1) - lengths, order, axis=1)
        starts = np.where(chosen, starts, length)
        in_text = np.argsort(starts, axis=1, kind="stable")
        return Spans(
            np.take_along_axis(starts, in_text, axis=1),
            np.take_along_axis(np.where(chosen, ordered, 0), in_text, axis=1),
            chosen.sum(axis=1),
        )


@dataclasses.dataclass(frozen=True)
class GlmDocumentInfilling(GlmObjective):
    """One span of 50 % to 100 % of the row, at its end; for the generation of long texts.

    The place is that of GLM-130B's [gMASK] (Zeng et al., arXiv 2210.02414, section 2.1).

    Attributes:
      smallest_share: of the row; the length is uniform between it and the whole row.
    """

    smallest_share: float = 0.5

    def __post_init__(self):
        if not 0 <= self.smallest_share <= 1:
            raise UserError(
                f"GlmDocumentInfilling needs 0 <= smallest_share <= 1, got {self.smallest_share}."
            )

    def most_spans(self, length: int) -> int:
        return min(1, length)

    def choose(self, tokens, keys, vocabulary):
        length = tokens.shape[1]
        smallest = min(max(round(length * self.smallest_share), 1), length)
        lengths = integers(subkeys(keys, "span length"), smallest, length)[:, None]
        count = np.full(len(keys), self.most_spans(length))
        return Spans(length - lengths, lengths, count)


@dataclasses.dataclass(frozen=True)
class _Blocks:
    """Part B: spans, each with one token more, in random order; arrays `[rows, width]`.

    Attributes:
      spans: number of the span, in order of the text.
      within: place in the block, from 0.
      sources: place in the text of the target.
      is_last: where the block ends.
      lengths: `[rows]` that count.
    """

    spans: np.ndarray
    within: np.ndarray
    sources: np.ndarray
    is_last: np.ndarray
    lengths: np.ndarray


def _blocks(spans: Spans, keys: np.ndarray) -> _Blocks:
    rows, most = spans.starts.shape
    sizes = np.where(spans.used, spans.lengths + 1, 0)
    order = random_order(sizes, keys)
    ordered = np.take_along_axis(sizes, order, axis=1)
    ends = np.cumsum(ordered, axis=1)
    lengths = ends[:, -1] if most else np.zeros(rows, np.int64)
    width = int(lengths.max(initial=0))
    offsets = np.arange(rows)[:, None] * (width + 1)
    passed = np.bincount((ends + offsets).ravel(), minlength=rows * (width + 1))
    block = np.cumsum(passed.reshape(rows, width + 1), axis=1)[:, :width]  # blocks ended before
    block = np.minimum(block, max(most - 1, 0))
    number = np.take_along_axis(order, block, axis=1)
    within = np.arange(width) - np.take_along_axis(ends - ordered, block, axis=1)
    span_lengths = np.take_along_axis(spans.lengths, number, axis=1)
    sources = np.take_along_axis(spans.starts, number, axis=1) + within
    return _Blocks(number, within, sources, within == span_lengths, lengths)
