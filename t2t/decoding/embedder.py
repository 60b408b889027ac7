"""Vectors of texts: what the layers of a model make of them."""

import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from t2t.data.features import Feature
from t2t.decoding.around_texts import around_text
from t2t.decoding.blank_filling import fills_blanks
from t2t.decoding.length_buckets import buckets, padded, position_limit, sizes_of, windows
from t2t.decoding.pooling import POOLINGS, embedded
from t2t.decoding.reading import InputLimit, encoder_limit
from t2t.errors import UserError
from t2t.models.config import one_of
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, Params
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.stack import Stack


class Embedding(NamedTuple):
    """A text's.

    Attributes:
      tokens: int32 `[length]`, what was read, special tokens around the text included.
      vectors: float32 `[d_model]`; with pooling "tokens" `[length, d_model]`.
    """

    tokens: np.ndarray
    vectors: np.ndarray


class Embedder:
    """Embeds texts in batches of like length, with one compilation per length class.

    Encoders alone read [CLS] text [SEP], if their vocabulary has such tokens; the encoder of an
    encoder-decoder reads its inputs as in training. A decoder alone reads its start token first,
    which is not pooled. Results depend on neither the batch size nor the other texts, up to
    rounding.

    Attributes:
      vocabulary: of the tokens.
      width: of each vector, d_model.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        inputs: Feature,
        pooling: str = "mean",
        normalize: bool = False,
        *,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
        batch_size: int = 64,
    ):
        """Makes an embedder.

        Args:
          model: of any architecture; of ELECTRA's two encoders the discriminator is meant.
          params: of the model.
          inputs: how texts become tokens.
          pooling: "mean" of all tokens, special ones included, as in Sentence-BERT
            (https://arxiv.org/abs/1908.10084, section 3); "first", such as [CLS]; "last", for
            decoders, whose last token alone has seen all others; or "tokens", a vector for each.
          normalize: divide each vector by its length.
          limit: of a text's tokens, special ones included.
          batch_size: texts at a time.

        Raises:
          UserError: no such pooling; batch_size is below 1; a limit without room for text.
        """
        one_of("pooling", pooling, POOLINGS)
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}.")
        self.vocabulary, self.width = inputs.vocabulary, _read_by(model).d_model
        self._params, self._limit = params, limit
        self._batch_size, self._pooling = batch_size, pooling
        self._pad_id = model.config.tokens.pad or 0
        self._before, self._after = around_text(model, inputs)
        self._most = _position_limit(model)
        added = len(self._before) + len(self._after)
        if limit.max_length is not None and limit.max_length <= added:
            raise UserError(
                f"max_input_length is {limit.max_length}, but {added} special tokens go around a "
                f"text; raise it."
            )
        self._embed = jax.jit(functools.partial(embedded, model, pooling, normalize))

    def embed(self, texts: Iterable[str]) -> Iterator[Embedding]:
        """Yields the embedding of each text, in order, reading a little ahead.

        A text without any token has the vector 0.

        Raises:
          UserError: which names the text as a record, counted from 1, if it is too long.
        """
        number = 0
        for window in windows(texts, self._batch_size):
            tokens = self._tokens(window, number)
            number += len(window)
            for item, vectors in zip(tokens, self._vectors(tokens), strict=True):
                yield Embedding(item, vectors)

    def _tokens(self, texts: list[str], before: int) -> list[np.ndarray]:
        """Of texts that are the records after the first `before` ones."""
        framed = []
        encoded = self.vocabulary.encode_batch(texts)
        added = len(self._before) + len(self._after)
        why = f"the model reads {self._most}"
        for number, tokens in enumerate(encoded, before + 1):
            length, name = len(tokens) + added, f"Record {number}"
            kept = self._limit.allowed(length, self._most, why, name, "first")
            text = tokens if kept is None else tokens[: kept - added]
            framed.append(np.concatenate([self._before, text, self._after]))
        return framed

    def _vectors(self, tokens: list[np.ndarray]) -> list[np.ndarray]:
        sizes, started = [len(item) for item in tokens], []
        for bucket in buckets(sizes, self._batch_size, self._most):
            rows = padded(tokens, bucket, self._pad_id)
            vectors = self._embed(self._params, rows, sizes_of(tokens, bucket))
            started.append((bucket.members, vectors))
        found = [np.zeros(0, np.float32)] * len(tokens)
        for members, vectors in started:
            for i, row in zip(members, jax.device_get(vectors), strict=False):
                found[i] = row[: sizes[i]] if self._pooling == "tokens" else row
        return found


def _read_by(model: Model) -> Stack:
    """The stack whose output the vectors are."""
    config = model.config
    if isinstance(config, Electra):
        return config.discriminator.encoder
    return config.decoder if isinstance(config, DecoderOnly) else config.encoder


def _position_limit(model: Model) -> int | None:
    """How many tokens of a text, with those around it, a model reads; None for any number."""
    config = model.config
    if isinstance(config, EncoderDecoder):
        return encoder_limit(config)
    limit = position_limit(_read_by(model))
    starts = isinstance(config, DecoderOnly) and not fills_blanks(config)
    return limit - 1 if starts and limit is not None else limit
