"""Text in, text out: a trained model on any number of inputs."""

import itertools
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from t2t.data.features import Feature
from t2t.decoding.greedy import greedy
from t2t.errors import UserError
from t2t.models.definition import Model, Params
from t2t.models.encoder_decoder import EncoderDecoder


def check_generates(model: Model) -> None:
    """Raises UserError unless the model is an encoder-decoder."""
    if not isinstance(model.config, EncoderDecoder):
        raise UserError(
            f"Predictions are made by encoder-decoders, but the architecture of this model is "
            f"{type(model.config).__name__}."
        )


class Predictor:
    """Decodes inputs in batches of equal length class; one compilation per class.

    Rows are padded to a power of two, and the last batch of each call with empty rows, so few
    shapes are compiled whatever the inputs.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        inputs: Feature,
        targets: Feature,
        *,
        max_decode_length: int = 64,
        batch_size: int = 64,
    ):
        if max_decode_length < 1 or batch_size < 1:
            raise UserError(
                f"max_decode_length and batch_size must be at least 1, got {max_decode_length} "
                f"and {batch_size}."
            )
        check_generates(model)
        self._pad_id = model.config.tokens.pad or 0
        self._params, self._inputs, self._targets = params, inputs, targets
        self._batch_size = batch_size
        self._generate = jax.jit(lambda p, x: greedy(model.bind(p), x, max_decode_length))

    def predict(self, texts: Iterable[str]) -> Iterator[str]:
        """Yields the prediction for each text, in order; reads ahead by a few batches only."""
        window = 8 * self._batch_size  # enough to sort by length within
        iterator = iter(texts)
        while chunk := list(itertools.islice(iterator, window)):
            yield from self._predict_chunk(chunk)

    def _predict_chunk(self, texts: list[str]) -> list[str]:
        encoded = [self._encode(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        predictions = [""] * len(texts)
        for start in range(0, len(order), self._batch_size):
            members = order[start : start + self._batch_size]
            length = _length_class(max(len(encoded[i]) for i in members))
            rows = _length_class(len(members), least=1) if len(order) <= self._batch_size else None
            batch = np.full((rows or self._batch_size, length), self._pad_id, np.int32)
            for row, i in enumerate(members):
                batch[row, : len(encoded[i])] = encoded[i]
            outputs = jax.device_get(self._generate(self._params, batch))
            for row, i in enumerate(members):
                predictions[i] = self._targets.vocabulary.decode(outputs[row])
        return predictions

    def _encode(self, text: str) -> np.ndarray:
        tokens = self._inputs.vocabulary.encode_array(text)
        end = [self._inputs.vocabulary.eos_id] if self._inputs.add_eos else []
        return np.concatenate([tokens, np.array(end, np.int32)])


def _length_class(length: int, least: int = 16) -> int:
    return max(least, 1 << (max(length, 1) - 1).bit_length())
