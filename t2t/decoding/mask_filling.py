"""Masked tokens of a text by an encoder: what it was pre-trained to say."""

import time
from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from t2t.data.features import Feature
from t2t.data.objectives.special_tokens import special_id
from t2t.decoding.around_texts import around_text
from t2t.decoding.compiled import Compiled
from t2t.decoding.length_buckets import Bucket, buckets, padded, position_limit, windows
from t2t.decoding.prediction import Prediction, Record, Throughput
from t2t.decoding.reading import InputLimit, text_of
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
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}.")
        self.throughput = Throughput()
        self._vocabulary, self._limit, self._batch_size = inputs.vocabulary, limit, batch_size
        self._mask = special_id(self._vocabulary, "mask_id", "Filling blanks")
        name = self._vocabulary.sentinel_name(self._mask)
        self._written = dict.fromkeys(("[MASK]", *([name] if name else [])), self._mask)
        self._before, self._after = around_text(model, inputs)
        self._most, self._pad_id = position_limit(config.encoder), config.tokens.pad or 0

        def likeliest(params, batch):
            log_probs = jax.nn.log_softmax(model.bind(params)(batch), axis=-1)
            return jnp.argmax(log_probs, axis=-1), jnp.max(log_probs, axis=-1)

        self._likeliest = Compiled(likeliest, params, self.throughput)

    def predict(self, records: Iterable[Record | str]) -> Iterator[list[Prediction]]:
        """Yields the filled text of each record, in order, reading a little ahead.

        Args:
          records: with "inputs"; a string is its inputs.

        Raises:
          UserError: which names a record without inputs, without a mask, or that is too long.
        """
        number = 0
        for window in windows(records, self._batch_size):
            started, compiling = time.perf_counter(), self.throughput.compile_seconds
            given = [{"inputs": r} if isinstance(r, str) else r for r in window]
            rows = [self._row(r, f"Record {number + i}") for i, r in enumerate(given, 1)]
            number += len(window)
            filled = self._filled(rows)
            compiled = self.throughput.compile_seconds - compiling
            self.throughput.seconds += time.perf_counter() - started - compiled
            self.throughput.records += len(window)
            yield from ([prediction] for prediction in filled)

    def _row(self, record: Record, name: str) -> np.ndarray:
        text = encode_written(text_of(record, "inputs", name), self._written, self._vocabulary)
        added = len(self._before) + len(self._after)
        why = f"the encoder has {self._most} positions"
        kept = self._limit.allowed(len(text) + added, self._most, why, name, "first")
        text = text if kept is None else text[: max(kept - added, 0)]
        if self._mask not in text:
            raise UserError(
                f"{name} has no [MASK]. An encoder alone generates no text; it tells which token "
                f"stands behind each [MASK]."
            )
        return np.concatenate([self._before, text, self._after])

    def _filled(self, rows: list[np.ndarray]) -> list[Prediction]:
        started = []
        for bucket in buckets([len(row) for row in rows], self._batch_size, self._most):
            started.append((bucket, self._likeliest(self._batch(rows, bucket))))
        found = [Prediction("", 0.0)] * len(rows)
        for bucket, outputs in started:
            for i, tokens, scores in zip(bucket.members, *jax.device_get(outputs), strict=False):
                found[i] = self._prediction(rows[i], tokens, scores)
        return found

    def _batch(self, rows: list[np.ndarray], bucket: Bucket) -> dict[str, np.ndarray]:
        ones = [np.ones_like(row) for row in rows]
        return {
            "encoder_input_tokens": padded(rows, bucket, self._pad_id),
            "encoder_segment_ids": padded(ones, bucket, 0),
        }

    def _prediction(self, row: np.ndarray, tokens: np.ndarray, scores: np.ndarray) -> Prediction:
        """From the likeliest int `[length]` tokens and their log-probabilities."""
        places = np.flatnonzero(row == self._mask)
        self.throughput.tokens += len(places)
        whole = row.copy()
        whole[places] = tokens[places]
        decode = self._vocabulary.decode
        fills = [decode(tokens[place : place + 1]) for place in places]
        text = decode(whole[len(self._before) : len(whole) - len(self._after)])
        return Prediction(text, float(scores[places].sum()), {"fills": fills})
