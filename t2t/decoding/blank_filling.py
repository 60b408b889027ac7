"""Filling blanks in a text, one after the other, as GLM's objectives lay them out.

Du et al., arXiv 2103.10360, section 2.1: Part A is the text with a mask token for each blank, Part
B the start token and the fill of each. `t2t.data.objectives.glm` says which positions they have.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from t2t.data.features import Feature
from t2t.data.objectives.glm import GlmDocumentInfilling, GlmObjective, GlmSentenceInfilling
from t2t.decoding.position_limits import position_limit
from t2t.decoding.prediction import Record
from t2t.decoding.prompts import NOTHING, Prompt, check_generates
from t2t.decoding.reading import Draft, InputLimit, Output, Reader, check_no_prefix, text_of
from t2t.decoding.written_tokens import encode_written
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.positions import TwoDimensionalPositions

_ALIASES = {GlmSentenceInfilling: "[sMASK]", GlmDocumentInfilling: "[gMASK]"}


def fills_blanks(config: DecoderOnly) -> bool:
    """Whether it is a GLM, which reads a text as it is, in both directions."""
    return isinstance(config.decoder.positions, TwoDimensionalPositions)


@dataclasses.dataclass(frozen=True)
class _Filled:
    """A text and the fills of its first blanks; int32 tokens."""

    text: np.ndarray
    blanks: np.ndarray  # places in the text
    fills: tuple[np.ndarray, ...] = ()


class BlankReader(Reader):
    """Texts with "[MASK]" in them to texts without; a text without gets one at its end.

    The three objectives may have mask tokens of their own: those of sentences are written
    "[sMASK]", of the rest of a document "[gMASK]" (GLM-130B, arXiv 2210.02414, 2.1). All can
    be written by name, too, such as "<extra_id_99>". Predictions are the filled text, and "fills",
    a list with what is in its blanks.

    Attributes:
      vocabulary: of the texts.
      masks: ids that stand for blanks.
      start_id: what a fill begins with, in Part B.
      eos_id: what it ends with.
    """

    def __init__(
        self,
        model: ModelConfig,
        features: Mapping[str, Feature],
        objectives: Sequence[GlmObjective],
        max_length: int,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
    ):
        """Makes a reader.

        Args:
          model: that generates.
          features: "inputs".
          objectives: that it was trained with; one or more.
          max_length: tokens of each blank, at most.
          limit: of the inputs.

        Raises:
          UserError: if the model does not generate, blanks of that length have no positions, or
            the objectives differ in what is around a blank.
        """
        decoder = check_generates(model).decoder
        self.vocabulary, self._limit = features["inputs"].vocabulary, limit
        ids = [objective.special_ids(self.vocabulary) for objective in objectives]
        if len({(start, end) for _, start, end in ids}) > 1:
            raise UserError(
                "The objectives have different start_id and end_id; blanks are filled only where "
                "all have the same."
            )
        self.masks = {mask for mask, *_ in ids}
        _, self.start_id, self.eos_id = ids[0]
        self._written = {"[MASK]": ids[0][0]}
        for objective, (mask, *_) in zip(objectives, ids, strict=True):
            self._written[_ALIASES.get(type(objective), "[MASK]")] = mask
            if name := self.vocabulary.sentinel_name(mask):
                self._written[name] = mask
        self._at_the_end = self._written.get("[gMASK]", ids[0][0])
        positions, self._most = decoder.positions, position_limit(decoder)
        if isinstance(positions, TwoDimensionalPositions):
            most = positions.max_block_length - 1  # place 0 is that of the text
            if max_length > most:
                raise UserError(
                    f"max_length ({max_length} tokens of a blank) is more than the "
                    f"TwoDimensionalPositions.max_block_length of the model allows: {most}. "
                    f"Generate less: --max_decode_length={most} or below."
                )

    def read(self, record: Record, name: str) -> Draft:
        check_no_prefix(record, name, "blanks are filled without one")
        tokens = self.tokens(text_of(record, "inputs", name))
        why = f"the decoder has {self._most} positions"
        limit = self._limit.allowed(len(tokens), self._most, why, name, "last")
        if limit is not None:
            tokens = tokens[len(tokens) - limit :]
        blanks = np.flatnonzero(np.isin(tokens, list(self.masks)))
        if not len(blanks):
            raise UserError(f"{name} has no blank in its last {limit} tokens, to which it is cut.")
        return self._draft(_Filled(tokens, blanks))

    def tokens(self, text: str) -> np.ndarray:
        """Int32 `[length]`, with a mask at the end if there is none."""
        tokens = encode_written(text, self._written, self.vocabulary)
        if np.isin(tokens, list(self.masks)).any():
            return tokens
        return np.append(tokens, np.int32(self._at_the_end))

    def _draft(self, filled: _Filled) -> Draft:
        """Part A, the blanks that are filled, and the start of the next one."""
        text, blanks = filled.text, filled.blanks
        start = np.array([self.start_id], np.int32)
        blocks = [np.concatenate([start, fill]) for fill in (*filled.fills, NOTHING)]
        lengths = [len(block) for block in blocks]
        within = [np.arange(1, length + 1) for length in lengths]
        after = np.zeros(sum(lengths), np.int32)
        prompt = Prompt(
            {
                "input_tokens": np.concatenate([text, *blocks]),
                "prefix_mask": np.concatenate([np.ones_like(text), after]),
                "positions": np.concatenate(
                    [np.arange(len(text)), np.repeat(blanks[: len(blocks)], lengths)]
                ),
                "block_positions": np.concatenate([np.zeros_like(text), *within]),
            }
        )
        return Draft(prompt, functools.partial(self._then, filled))

    def _then(self, filled: _Filled, tokens: np.ndarray) -> Draft | Output:
        filled = dataclasses.replace(filled, fills=(*filled.fills, tokens))
        if len(filled.fills) < len(filled.blanks):
            return self._draft(filled)
        pieces = np.split(filled.text, filled.blanks)
        whole = [pieces[0]]
        for fill, piece in zip(filled.fills, pieces[1:], strict=True):
            whole += [fill, piece[1:]]  # without the mask
        fills = [self.vocabulary.decode(fill) for fill in filled.fills]
        return Output(self.vocabulary.decode(np.concatenate(whole)), {"fills": fills})
