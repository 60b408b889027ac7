"""Which tokens of a text are not the original: what ELECTRA was pre-trained to say."""

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2t.data.features import Feature
from t2t.decoding.around_texts import Frame, around_text
from t2t.decoding.batcher import Batcher, numbered
from t2t.decoding.encoder_batches import encoder_batch
from t2t.decoding.length_buckets import Bucket, padded, sizes_of
from t2t.decoding.marked_text import marked
from t2t.decoding.mask_filling import likeliest, masks_by_name
from t2t.decoding.position_limits import row_limit
from t2t.decoding.prediction import Asked, Numbered, Prediction
from t2t.decoding.reading import InputLimit, check_no_prefix, text_of
from t2t.decoding.written_tokens import encode_written
from t2t.errors import UserError
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import TokenClasses


def detects_replaced(config: ModelConfig) -> bool:
    """Whether it is an ELECTRA, or the discriminator of one alone."""
    if isinstance(config, Electra):
        return True
    heads = config.heads if isinstance(config, EncoderOnly) else ()
    return any(isinstance(head, TokenClasses) and head.num_classes == 1 for head in heads)


class ReplacedTokenDetector:
    """Texts to texts with brackets around the tokens that seem to be replaced.

    Clark et al., "ELECTRA" (https://arxiv.org/abs/2003.10555), section 2: the generator fills in
    each "[MASK]", here with its likeliest token, as `MaskFiller` does; of the text that results,
    the discriminator gives each token the probability that it is not the original. It seems to be
    replaced if that is above 0.5. "replaced" has these tokens with their probabilities, "fills" the
    generator's. A score is the logarithm of the probability that no token was replaced, one
    independent of the other.

    A discriminator alone reads texts without "[MASK]".

    Attributes:
      throughput: of all calls up to now; tokens are those that were read.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        inputs: Feature,
        *,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
        batch_size: int = 64,
    ):
        """Raises UserError unless `detects_replaced`, or if a generator has no mask token."""
        config = model.config
        if not detects_replaced(config):
            raise UserError(
                "Replaced tokens are found by Electra, or by an encoder with TokenClasses of one "
                "class."
            )
        self._batcher = Batcher(batch_size, "read")
        self.throughput, self._vocabulary = self._batcher.throughput, inputs.vocabulary
        self._fills = isinstance(config, Electra)
        self._written = masks_by_name(self._vocabulary, required=self._fills)
        self._masks = sorted(set(self._written.values()))
        self._pad_id = config.tokens.pad or 0
        most = row_limit(config)
        why = f"the encoder has {most} positions"
        self._frame = Frame(*around_text(model, inputs), limit, most, why)

        def detect(params, tokens, sizes):
            module, batch = model.bind(params), encoder_batch(tokens, sizes)
            if self._fills:
                masked = jnp.isin(tokens, jnp.array(self._masks))
                tokens = jnp.where(masked, likeliest(module.generator(batch))[0], tokens)
            logits = module.outputs({**batch, "encoder_input_tokens": tokens}, TokenClasses.name)
            return tokens, logits[..., 0]

        self._detect = self._batcher.compiled(detect, params)

    def predict(self, records: Iterable[Asked]) -> Iterator[list[Prediction]]:
        """Yields the marked text of each record, in order, reading a little ahead.

        Args:
          records: with "inputs"; a string is its inputs.

        Raises:
          UserError: which names a record without inputs, with a prefix, that is too long, or with a
            mask that there is no generator for.
        """
        return self._batcher.by_window(numbered(records), self._predicted)

    def _predicted(self, window: list[Numbered]) -> list[list[Prediction]]:
        rows = [self._row(asked) for asked in window]

        def start(bucket: Bucket) -> tuple[jax.Array, jax.Array]:
            return self._detect(padded(rows, bucket, self._pad_id), sizes_of(rows, bucket))

        found = self._batcher.by_length([len(row) for row in rows], self._frame.most, start)
        return [[self._prediction(row, *each)] for row, each in zip(rows, found, strict=True)]

    def _row(self, asked: Numbered) -> np.ndarray:
        check_no_prefix(asked.record, asked.name, "replaced tokens are found without one")
        text = text_of(asked.record, "inputs", asked.name)
        tokens = encode_written(text, self._written, self._vocabulary)
        if not self._fills and np.isin(tokens, self._masks).any():
            raise UserError(
                f"{asked.name} has a [MASK], but this is a discriminator without the generator "
                f"that would fill it in. It reads whole texts."
            )
        return self._frame.around(tokens, asked.name)

    def _prediction(self, row: np.ndarray, filled: np.ndarray, logits: np.ndarray) -> Prediction:
        """Of a row, its tokens as they were read, and float32 logits; both are padded."""
        self.throughput.tokens += len(row)
        asked = self._frame.inside(row)
        tokens = self._frame.inside(filled[: len(row)])
        odds = self._frame.inside(logits[: len(row)]).astype(np.float64)
        replaced, named = odds > 0, self._vocabulary.readable
        details: dict[str, Any] = {}
        if self._fills:
            fills = tokens[np.isin(asked, self._masks)]
            details["fills"] = [self._vocabulary.decode([token]) for token in fills]
        likely = np.exp(-np.logaddexp(0, -odds[replaced])).tolist()
        pairs = zip(tokens[replaced], likely, strict=True)
        details["replaced"] = [[named([token]), round(value, 6)] for token, value in pairs]
        score = -float(np.logaddexp(0, odds).sum())
        return Prediction(marked(tokens, replaced, self._vocabulary), score, details)
