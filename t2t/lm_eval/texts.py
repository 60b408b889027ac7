"""The harness's texts as tokens: contexts that a model reads, continuations that it says."""

from collections.abc import Mapping, Sequence

import numpy as np

from t2t.data.features import Feature, FramedFeature, append_eos_after_trim, inputs_feature
from t2t.decoding.position_limits import encoder_limit, position_limit
from t2t.decoding.prompts import NOTHING, GeneratorConfig, Prompt, make_prompt
from t2t.decoding.scored_texts import Alternatives
from t2t.errors import UserError
from t2t.models.encoder_decoder import EncoderDecoder

DEFAULT_MAX_LENGTH = 2048
"""Tokens that a model without a limit to its positions reads, as in the harness's own models."""


class Texts:
    """Tokens as the harness's models of Hugging Face have them.

    An encoder reads contexts, with what its tokenizer or task puts around inputs, and the decoder
    says continuations, without an end of sequence. A decoder alone reads both. If it is a language
    model, they are tokenised as one text; one that was trained on pairs reads contexts as inputs.
    Contexts that are too long lose their beginning.

    Attributes:
      vocabulary: of what is said.
      start: what is read where there is no context.
      joined: whether context and continuation are tokenised as one text.
      max_length: tokens that are read, of an encoder-decoder by each of its sides.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        features: Mapping[str, Feature],
        max_length: int | None = None,
    ):
        """Makes them.

        Args:
          config: of the model.
          features: "targets", and "inputs" unless the model is a language model.
          max_length: None for as many as the model has positions for, or `DEFAULT_MAX_LENGTH`.

        Raises:
          UserError: max_length is below 1, or more than there are positions.
        """
        self._config, self._inputs = config, inputs_feature(features)
        self.vocabulary = features["targets"].vocabulary
        self._encodes = isinstance(config, EncoderDecoder)
        self.joined = not self._encodes and "inputs" not in features
        self._is_framed = self.joined and isinstance(features["targets"], FramedFeature)
        targets = features["targets"]
        self.unspoken = targets.unspoken if isinstance(targets, FramedFeature) else ()
        end = config.tokens.eos if config.tokens.eos is not None else self.vocabulary.eos_id
        self.start = end if self._encodes and end is not None else config.tokens.start
        self.max_length = _max_length(config, max_length)

    def read(self, text: str) -> list[int]:
        """A context; of a decoder alone from its start token on."""
        tokens = self._inputs.vocabulary.encode_array(text)
        ids = append_eos_after_trim(tokens, self._inputs, None).tolist()
        if not self._encodes and not self._is_framed:
            ids = [self._config.tokens.start, *ids]
        return ids or [self.start]

    def said(self, text: str) -> list[int]:
        """A continuation."""
        return self.vocabulary.encode(text)

    def whole(self, text: str) -> list[int]:
        """A text whose every token is to be predicted; with what a tokenizer puts around it."""
        return self.read(text) if self._encodes or self._is_framed else self.said(text)

    def alternatives(
        self, context: Sequence[int], continuations: Sequence[Sequence[int]]
    ) -> list[Alternatives]:
        """To be scored: together if an encoder reads their context once, else one by one.

        Raises:
          UserError: a continuation is longer than max_length, of which nothing is left out.
        """
        longest = max(map(len, continuations))
        if longest > self.max_length:
            raise UserError(
                f"A continuation to score has {longest} tokens, but the model reads at most "
                f"{self.max_length} (max_length)."
            )
        targets = [np.array(ids, np.int32) for ids in continuations]
        if self._encodes:
            return [Alternatives(np.array(context[-self.max_length :], np.int32), targets)]
        return [self._continued(context, target) for target in targets]

    def _continued(self, context: Sequence[int], target: np.ndarray) -> Alternatives:
        kept = list(context)[-(self.max_length + 1 - len(target)) :]
        return Alternatives(np.array(kept[1:], np.int32), [target], kept[0])

    def prompt(self, context: Sequence[int], max_new_tokens: int) -> Prompt:
        """To be continued.

        Raises:
          UserError: there is no room for as many new tokens.
        """
        room = self.max_length if self._encodes else self.max_length - max_new_tokens
        limit = position_limit(self._config.decoder)
        if room < 1 or (limit is not None and max_new_tokens > limit):
            raise UserError(
                f"max_gen_toks is {max_new_tokens}, but the model reads {self.max_length} tokens, "
                f"and of those a context needs one at least. Set fewer in the task, with "
                f"--gen_kwargs max_gen_toks=N, or as the model's max_gen_toks."
            )
        kept = list(context)[-room:]
        if self._encodes:
            return make_prompt(self._config, np.array(kept, np.int32))
        rest = np.array(kept[1:], np.int32)
        inputs, prefix = (NOTHING, rest) if self.joined else (rest, NOTHING)
        return make_prompt(self._config, inputs, prefix, kept[0])


def _max_length(config: GeneratorConfig, asked: int | None) -> int:
    limits = [position_limit(config.decoder)]
    if isinstance(config, EncoderDecoder):
        limits.append(encoder_limit(config))
    least = min((limit for limit in limits if limit is not None), default=None)
    if asked is None:
        return least or DEFAULT_MAX_LENGTH
    if asked < 1 or (least is not None and asked > least):
        most = "" if least is None else f" and at most {least}, for which the model has positions"
        raise UserError(f"max_length is {asked}; it must be at least 1{most}.")
    return asked
