"""Log-probabilities that a model gives to the tokens of texts."""

import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from t2t.decoding.batcher import Batcher, in_order
from t2t.decoding.blank_filling import BlankReader, fills_blanks
from t2t.decoding.length_buckets import (
    Bucket,
    buckets,
    length_class,
    padded,
    sizes_of,
)
from t2t.decoding.log_probs import (
    TokenScores,
    encode,
    score_continued,
    score_encoded,
    score_filled,
)
from t2t.decoding.position_limits import encoder_limit, position_limit
from t2t.decoding.prompts import check_generates
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

    def __init__(self, model: Model, params: Params, batcher: Batcher):
        self._batcher = batcher
        config = check_generates(model.config)
        self._pad_id = config.tokens.pad or 0
        self._inputs_limit = encoder_limit(config)
        self._targets_limit = position_limit(config.decoder)
        self._encode = batcher.compiled(functools.partial(encode, model), params)
        self._score = batcher.compiled(functools.partial(score_encoded, model), params)

    def check(self, tokens: Alternatives, where: str) -> None:
        """Raises UserError, which begins with `where`, on inputs or targets that are too long."""
        if not len(tokens.inputs):
            raise UserError(f"{where}: the inputs are no tokens at all, so nothing is encoded.")
        _check_length(where, "inputs", len(tokens.inputs), self._inputs_limit)
        longest = max(map(len, tokens.targets))
        _check_length(where, "targets", longest, self._targets_limit)

    def __call__(self, window: Sequence[Alternatives]) -> list[list[TokenScores]]:
        """`[length]`, of each item's targets."""
        inputs, started = [item.inputs for item in window], []
        targets, numbers = _numbered_targets(window)
        batch_size, sizes = self._batcher.batch_size, [len(tokens) for tokens in inputs]
        for bucket in buckets(sizes, batch_size, self._inputs_limit):
            tokens, real = padded(inputs, bucket, self._pad_id), sizes_of(inputs, bucket)
            memory = (tokens, real, self._encode(tokens, real))
            # Of each target for one of these inputs, its number and the row of its input.
            owned = [(k, row) for row, i in enumerate(bucket.members) for k in numbers[i]]
            lengths = [len(targets[k]) for k, _ in owned]
            for part in buckets(lengths, batch_size, self._targets_limit, bucket.rows):
                members = [owned[m][0] for m in part.members]
                owners = np.zeros(part.rows, np.int32)
                owners[: len(members)] = [owned[m][1] for m in part.members]
                batch = part._replace(members=members)
                rows, real = padded(targets, batch, self._pad_id), sizes_of(targets, batch)
                started.append((members, self._score(memory, owners, rows, real)))
        return _by_item(targets, numbers, in_order(started, len(targets)))


class DecoderOnlyLikelihoods:
    """Likelihoods of targets after inputs, or from the start token on.

    A row is inputs and one target, so inputs are read once per target. One compilation per length
    class of rows and of targets.
    """

    def __init__(self, model: Model, params: Params, batcher: Batcher):
        self._batcher = batcher
        config = check_generates(model.config)
        self._pad_id = config.tokens.pad or 0
        self._limit = position_limit(config.decoder)
        self._start = config.tokens.start
        self._score = batcher.compiled(self._scored_by(model), params)

    def check(self, tokens: Alternatives, where: str) -> None:
        """Raises UserError, which begins with `where`, on a row that is too long."""
        longest = len(tokens.inputs) + max(map(len, tokens.targets))
        _check_length(where, "inputs and targets", longest, self._limit)

    def __call__(self, window: Sequence[Alternatives]) -> list[list[TokenScores]]:
        """`[length]`, of each item's targets."""
        targets, numbers = _numbered_targets(window)
        inputs = [item.inputs for item in window for _ in item.targets]
        texts = [np.concatenate(pair) for pair in zip(inputs, targets, strict=True)]
        firsts = [
            self._start if item.first is None else item.first
            for item, of_item in zip(window, numbers, strict=True)
            for _ in of_item
        ]

        def start(bucket: Bucket) -> TokenScores:
            begins = sizes_of(inputs, bucket)
            longest = max(len(targets[k]) for k in bucket.members)
            rows, real = padded(texts, bucket, self._pad_id), sizes_of(texts, bucket)
            length = length_class(longest, most=bucket.length)
            starts = np.zeros(bucket.rows, np.int32)
            starts[: len(bucket.members)] = [firsts[k] for k in bucket.members]
            return self._score(rows, real, begins, starts, length=length)

        found = self._batcher.by_length([len(text) for text in texts], self._limit, start)
        return _by_item(targets, numbers, found)

    def _scored_by(self, model: Model) -> Callable[..., TokenScores]:
        return functools.partial(score_continued, model)


class BlankLikelihoods(DecoderOnlyLikelihoods):
    """Likelihoods of what fills the one blank in the inputs, its end included (GLM)."""

    def __init__(self, model: Model, params: Params, batcher: Batcher, blanks: BlankReader):
        self._blanks = blanks
        super().__init__(model, params, batcher)
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

    def _scored_by(self, model: Model) -> Callable[..., TokenScores]:
        masks = tuple(sorted(self._blanks.masks))
        return functools.partial(score_filled, model, masks, self._blanks.start_id)


Likelihoods = EncoderDecoderLikelihoods | DecoderOnlyLikelihoods


def likelihoods_of(
    model: Model, params: Params, batcher: Batcher, blanks: BlankReader | None = None
) -> Likelihoods:
    """Those of the model's architecture, or of what fills blanks.

    Raises:
      UserError: if it gives texts no likelihood.
    """
    config = model.config
    if blanks is not None:
        return BlankLikelihoods(model, params, batcher, blanks)
    if isinstance(config, EncoderDecoder):
        return EncoderDecoderLikelihoods(model, params, batcher)
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
    return DecoderOnlyLikelihoods(model, params, batcher)


def _numbered_targets(window: Sequence[Alternatives]) -> tuple[list[np.ndarray], list[range]]:
    """All targets, and the numbers that those of each item have among them."""
    ends = list(itertools.accumulate((len(item.targets) for item in window), initial=0))
    targets = [target for item in window for target in item.targets]
    return targets, list(itertools.starmap(range, itertools.pairwise(ends)))


def _by_item(
    targets: Sequence[np.ndarray], numbers: Sequence[range], rows: Sequence[TokenScores]
) -> list[list[TokenScores]]:
    """`[length]` of each item's targets, from a row for each target."""

    def cut(k: int) -> TokenScores:
        return TokenScores(*(values[: len(targets[k])] for values in rows[k]))

    return [[cut(k) for k in of_item] for of_item in numbers]


def _check_length(where: str, what: str, tokens: int, limit: int | None) -> None:
    if limit is not None and tokens > limit:
        raise UserError(
            f"{where}: {what} are {tokens} tokens, but the model has positions for {limit}."
        )
