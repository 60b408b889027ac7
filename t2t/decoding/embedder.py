"""Vectors of texts: what the layers of a model make of them."""

import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from t2t.data.features import Feature, FramedFeature
from t2t.decoding.around_texts import Frame, around_text
from t2t.decoding.batcher import Batcher, numbered
from t2t.decoding.blank_filling import fills_blanks
from t2t.decoding.length_buckets import Bucket, padded, sizes_of
from t2t.decoding.pooling import POOLINGS, embedded
from t2t.decoding.position_limits import encoder_limit, position_limit
from t2t.decoding.prediction import Asked, Numbered
from t2t.decoding.reading import InputLimit
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
    which is not pooled. Imported models read what their tokenizers make of a text, all of which is
    pooled. Results depend on neither the batch size nor the other texts, up to rounding.

    Attributes:
      vocabulary: of the tokens.
      width: of each vector, d_model.
      throughput: of all calls up to now; tokens are those that were read.
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
        self._batcher = Batcher(batch_size, "read")
        self.throughput, self._pooling = self._batcher.throughput, pooling
        self.vocabulary, self.width = inputs.vocabulary, _read_by(model).d_model
        self._pad_id = model.config.tokens.pad or 0
        starts = _reads_start(model, inputs)
        most = _position_limit(model, starts)
        self._frame = Frame(*around_text(model, inputs), limit, most, f"the model reads {most}")
        self._embed = self._batcher.compiled(
            functools.partial(embedded, model, pooling, normalize, starts), params
        )

    def embed(self, texts: Iterable[Asked]) -> Iterator[Embedding]:
        """Yields the embedding of each text, in order, reading a little ahead.

        A text without any token has the vector 0.

        Raises:
          UserError: which names the text as a record, counted from 1, if it is too long.
        """
        return self._batcher.by_window(numbered(texts), self._embedded)

    def _embedded(self, window: list[Numbered]) -> list[Embedding]:
        encoded = self.vocabulary.encode_batch([asked.record["inputs"] for asked in window])
        rows = [
            self._frame.around(tokens, asked.name)
            for tokens, asked in zip(encoded, window, strict=True)
        ]

        def start(bucket: Bucket) -> jax.Array:
            return self._embed(padded(rows, bucket, self._pad_id), sizes_of(rows, bucket))

        sizes = [len(row) for row in rows]
        found = self._batcher.by_length(sizes, self._frame.most, start)
        self.throughput.tokens += sum(sizes)
        if self._pooling == "tokens":
            found = [vectors[:size] for vectors, size in zip(found, sizes, strict=True)]
        return list(map(Embedding, rows, found))


def _read_by(model: Model) -> Stack:
    """The stack whose output the vectors are."""
    config = model.config
    if isinstance(config, Electra):
        return config.discriminator.encoder
    return config.decoder if isinstance(config, DecoderOnly) else config.encoder


def _reads_start(model: Model, inputs: Feature) -> bool:
    """Whether a decoder's start token comes before the text and what is around it."""
    config = model.config
    is_framed = isinstance(inputs, FramedFeature)
    return isinstance(config, DecoderOnly) and not fills_blanks(config) and not is_framed


def _position_limit(model: Model, starts: bool) -> int | None:
    """How many tokens of a text, with those around it, a model reads; None for any number."""
    config = model.config
    if isinstance(config, EncoderDecoder):
        return encoder_limit(config)
    limit = position_limit(_read_by(model))
    return limit - 1 if starts and limit is not None else limit
