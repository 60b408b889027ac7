"""Masked tokens of a text by an encoder: what it was pre-trained to say."""

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from t2t.data.features import Feature
from t2t.data.objectives.special_tokens import special_id
from t2t.data.vocabularies import Vocabulary
from t2t.decoding.around_texts import Frame, around_text
from t2t.decoding.batcher import Batcher, numbered
from t2t.decoding.encoder_batches import encoder_batch
from t2t.decoding.length_buckets import Bucket, padded, sizes_of
from t2t.decoding.position_limits import position_limit
from t2t.decoding.prediction import Asked, Numbered, Prediction
from t2t.decoding.reading import InputLimit, check_no_prefix, text_of
from t2t.decoding.written_tokens import encode_written
from t2t.errors import UserError
from t2t.models.definition import Model, Params
from t2t.models.encoder_only import EncoderOnly


class MaskFiller:
    """Texts with "[MASK]" in them to texts with the likeliest token at each, given all others.

    As Hugging Face's fill-mask does: all of a text in one pass, between [CLS] and [SEP]. A score is
    the sum of the log-probabilities of the tokens; "fills" tells them apart.

    Attributes:
      throughput: of all calls up to now; tokens are those that were filled in.
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
        """Raises UserError if the model is no encoder with an LMHead, or there is no mask token."""
        config = model.config
        if not isinstance(config, EncoderOnly) or config.head is None:
            raise UserError("Masked tokens are filled in by encoders alone with an LMHead.")
        self._batcher = Batcher(batch_size)
        self.throughput, self._vocabulary = self._batcher.throughput, inputs.vocabulary
        self._written = masks_by_name(self._vocabulary)
        self._mask = self._written["[MASK]"]
        most, self._pad_id = position_limit(config.encoder), config.tokens.pad or 0
        why = f"the encoder has {most} positions"
        self._frame = Frame(*around_text(model, inputs), limit, most, why)

        def found(params, tokens, sizes):
            return likeliest(model.bind(params)(encoder_batch(tokens, sizes)))

        self._likeliest = self._batcher.compiled(found, params)

    def predict(self, records: Iterable[Asked]) -> Iterator[list[Prediction]]:
        """Yields the filled text of each record, in order, reading a little ahead.

        Args:
          records: with "inputs"; a string is its inputs.

        Raises:
          UserError: which names a record without inputs, without a mask, with a prefix, or that is
            too long.
        """
        return self._batcher.by_window(numbered(records), self._predicted)

    def _predicted(self, window: list[Numbered]) -> list[list[Prediction]]:
        rows = [self._row(asked) for asked in window]

        def start(bucket: Bucket) -> tuple[jax.Array, jax.Array]:
            return self._likeliest(padded(rows, bucket, self._pad_id), sizes_of(rows, bucket))

        found = self._batcher.by_length([len(row) for row in rows], self._frame.most, start)
        return [[self._prediction(row, *each)] for row, each in zip(rows, found, strict=True)]

    def _row(self, asked: Numbered) -> np.ndarray:
        check_no_prefix(asked.record, asked.name, "masked tokens are filled in without one")
        text = text_of(asked.record, "inputs", asked.name)
        tokens = encode_written(text, self._written, self._vocabulary)
        row = self._frame.around(tokens, asked.name)
        if self._mask not in row:
            raise UserError(
                f"{asked.name} has no [MASK]. An encoder alone generates no text; it tells "
                f"which token stands behind each [MASK]."
            )
        return row

    def _prediction(self, row: np.ndarray, tokens: np.ndarray, scores: np.ndarray) -> Prediction:
        """From the likeliest int `[length]` tokens and their log-probabilities."""
        places = np.flatnonzero(row == self._mask)
        self.throughput.tokens += len(places)
        whole = row.copy()
        whole[places] = tokens[places]
        decode = self._vocabulary.decode
        fills = [decode(tokens[place : place + 1]) for place in places]
        text = decode(self._frame.inside(whole))
        return Prediction(text, float(scores[places].sum()), {"fills": fills})


def masks_by_name(vocabulary: Vocabulary, *, required: bool = True) -> dict[str, int]:
    """How the mask token may be written, with its id.

    Raises:
      UserError: if it is required and there is none.
    """
    if vocabulary.mask_id is None and not required:
        return {}
    mask = special_id(vocabulary, "mask_id", "Filling blanks")
    name = vocabulary.sentinel_name(mask)
    return dict.fromkeys(("[MASK]", *([name] if name else [])), mask)


def likeliest(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Int and float32 `[rows, length]`: at each place a token and its log-probability."""
    return jnp.argmax(logits, axis=-1), jnp.max(jax.nn.log_softmax(logits, axis=-1), axis=-1)
