"""Log-probabilities that a model gives to the tokens of texts."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from t2t.decoding.blank_filling import BlankReader, fills_blanks
from t2t.decoding.length_buckets import buckets, length_class, padded, position_limit, sizes_of
from t2t.decoding.log_probs import encode, score_continued, score_encoded, score_filled
from t2t.decoding.prompts import check_generates
from t2t.decoding.reading import encoder_limit
from t2t.decoding.scored_texts import Alternatives
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, Params
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.positions import TwoDimensionalPositions


class EncoderDecoderLikelihoods:
    """Likelihoods of targets given inputs, which are encoded once, however many targets they have.

    One compilation of the encoder per length class of inputs, and of the decoder per class of
    inputs and targets.
    """

    def __init__(self, model: Model, params: Params, batch_size: int):
        self._params, self._batch_size = params, batch_size
        config = check_generates(model.config)
        self._pad_id = config.tokens.pad or 0
        self._inputs_limit = encoder_limit(config)
        self._targets_limit = position_limit(config.decoder)
        self._encode = jax.jit(functools.partial(encode, model))
        self._score = jax.jit(functools.partial(score_encoded, model))

    def check(self, tokens: Alternatives, where: str) -> None:
        """Raises UserError, which begins with `where`, on inputs or targets that are too long."""
        if not len(tokens.inputs):
            raise UserError(f"{where}: the inputs are no tokens at all, so nothing is encoded.")
        _check_length(where, "inputs", len(tokens.inputs), self._inputs_limit)
        longest = max(map(len, tokens.targets))
        _check_length(where, "targets", longest, self._targets_limit)

    def __call__(self, window: Sequence[Alternatives]) -> list[list[np.ndarray]]:
        """Float32 `[length]` of each target, in nats."""
        inputs, started = [item.inputs for item in window], []
        sizes = [len(tokens) for tokens in inputs]
        for bucket in buckets(sizes, self._batch_size, self._inputs_limit):
            tokens, real = padded(inputs, bucket, self._pad_id), sizes_of(inputs, bucket)
            memory = (tokens, real, self._encode(self._params, tokens, real))
            places = _places(window, bucket.members)
            targets = [window[i].targets[j] for i, j in places]
            row_of = {i: row for row, i in enumerate(bucket.members)}
            lengths = [len(target) for target in targets]
            for part in buckets(lengths, self._batch_size, self._targets_limit, bucket.rows):
                members = [places[k] for k in part.members]
                owners = np.zeros(part.rows, np.int32)
                owners[: len(members)] = [row_of[i] for i, _ in members]
                rows = padded(targets, part, self._pad_id)
                real = sizes_of(targets, part)
                started.append((members, self._score(self._params, memory, owners, rows, real)))
        return _collected(window, started)


class DecoderOnlyLikelihoods:
    """Likelihoods of targets after inputs, or from the start token on.

    A row is inputs and one target, so inputs are read once per target. One compilation per length
    class of rows and of targets.
    """

    def __init__(self, model: Model, params: Params, batch_size: int):
        self._params, self._batch_size = params, batch_size
        config = check_generates(model.config)
        self._pad_id = config.tokens.pad or 0
        self._limit = position_limit(config.decoder)
        self._score = jax.jit(self._scored_by(model), static_argnums=4)

    def check(self, tokens: Alternatives, where: str) -> None:
        """Raises UserError, which begins with `where`, on a row that is too long."""
        longest = len(tokens.inputs) + max(map(len, tokens.targets))
        _check_length(where, "inputs and targets", longest, self._limit)

    def __call__(self, window: Sequence[Alternatives]) -> list[list[np.ndarray]]:
        """Float32 `[length]` of each target, in nats."""
        places, started = _places(window, range(len(window))), []
        texts = [np.concatenate([window[i].inputs, window[i].targets[j]]) for i, j in places]
        sizes = [len(text) for text in texts]
        for bucket in buckets(sizes, self._batch_size, self._limit):
            members = [places[k] for k in bucket.members]
            begins = np.zeros(bucket.rows, np.int32)
            begins[: len(members)] = [len(window[i].inputs) for i, _ in members]
            longest = max(len(window[i].targets[j]) for i, j in members)
            rows = padded(texts, bucket, self._pad_id)
            real = sizes_of(texts, bucket)
            length = length_class(longest, most=bucket.length)
            started.append((members, self._score(self._params, rows, real, begins, length)))
        return _collected(window, started)

    def _scored_by(self, model: Model) -> Callable[..., jax.Array]:
        return functools.partial(score_continued, model)


class BlankLikelihoods(DecoderOnlyLikelihoods):
    """Likelihoods of what fills the one blank in the inputs, its end included (GLM)."""

    def __init__(self, model: Model, params: Params, batch_size: int, blanks: BlankReader):
        self._blanks = blanks
        super().__init__(model, params, batch_size)
        # A fill has the position of its blank, and places of its own within.
        self._text_limit, self._limit = self._limit, None
        positions = check_generates(model.config).decoder.positions
        self._fill_limit = None
        if isinstance(positions, TwoDimensionalPositions):
            self._fill_limit = positions.max_block_length - 1  # place 0 is that of the text

    def check(self, tokens: Alternatives, where: str) -> None:
        """Raises UserError, which begins with `where`, on inputs or targets that are too long."""
        _check_length(where, "inputs", len(tokens.inputs), self._text_limit)
        _check_length(where, "targets", max(map(len, tokens.targets)), self._fill_limit)

    def _scored_by(self, model: Model) -> Callable[..., jax.Array]:
        masks = tuple(sorted(self._blanks.masks))
        return functools.partial(score_filled, model, masks, self._blanks.start_id)


Likelihoods = EncoderDecoderLikelihoods | DecoderOnlyLikelihoods


def likelihoods_of(
    model: Model, params: Params, batch_size: int, blanks: BlankReader | None = None
) -> Likelihoods:
    """Those of the model's architecture, or of what fills blanks.

    Raises:
      UserError: if it gives texts no likelihood.
    """
    config = model.config
    if blanks is not None:
        return BlankLikelihoods(model, params, batch_size, blanks)
    if isinstance(config, EncoderDecoder):
        return EncoderDecoderLikelihoods(model, params, batch_size)
    if not isinstance(config, DecoderOnly):
        raise UserError(
            f"{type(config).__name__} gives no likelihood to a text, since it has no decoder. It "
            f"gives embeddings: `t2t embed`, or Embedder."
        )
    if fills_blanks(config):
        raise UserError(
            "A model with TwoDimensionalPositions fills blanks (GLM), but nothing says which "
            "tokens stand for them: name the task that it was trained on (--mixture=..., or "
            "Scorer(objectives=...))."
        )
    return DecoderOnlyLikelihoods(model, params, batch_size)


def _places(window: Sequence[Alternatives], members: Iterable[int]) -> list[tuple[int, int]]:
    """Item and number of each target of these members."""
    return [(i, j) for i in members for j in range(len(window[i].targets))]


def _collected(
    window: Sequence[Alternatives], started: Sequence[tuple[list[tuple[int, int]], jax.Array]]
) -> list[list[np.ndarray]]:
    """Scores from batches whose rows are the targets at these places."""
    found: list[list[Any]] = [[None] * len(item.targets) for item in window]
    for members, scores in started:
        for (i, j), row in zip(members, jax.device_get(scores), strict=False):
            found[i][j] = row[: len(window[i].targets[j])]
    return found


def _check_length(where: str, what: str, tokens: int, limit: int | None) -> None:
    if limit is not None and tokens > limit:
        raise UserError(
            f"{where}: {what} are {tokens} tokens, but the model has positions for {limit}."
        )
