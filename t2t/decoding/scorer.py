"""How likely a model finds given texts, and which of several it would choose."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.features import Feature
from t2t.data.objectives.glm import GlmObjective
from t2t.data.vocabularies import Vocabulary
from t2t.decoding.batcher import Batcher
from t2t.decoding.blank_filling import BlankReader
from t2t.decoding.likelihoods import likelihoods_of
from t2t.decoding.log_probs import TokenScores
from t2t.decoding.scored_texts import Alternatives, FilledBlanks, TextPairs
from t2t.decoding.scoring_records import ScoringRecord, to_rank, to_score
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, Params
from t2t.models.encoder_decoder import EncoderDecoder


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """A text's likelihood, natural logarithms.

    Attributes:
      text: as given.
      tokens: int32 `[length]`, with the end of sequence if the targets have one.
      log_probs: float32 `[length]`, of each token given all before it.
      greedy: bool `[length]`, whether no other token is likelier there.
    """

    text: str
    tokens: np.ndarray
    log_probs: np.ndarray
    greedy: np.ndarray

    def score(self, *, normalize: bool = False) -> float:
        """The log-likelihood; with `normalize`, divided by the number of tokens."""
        total = float(np.sum(self.log_probs, dtype=np.float64))
        return total / max(len(self.tokens), 1) if normalize else total


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """Candidates for one record.

    Attributes:
      candidates: in the order given.
      scores: of each, the higher the likelier.
    """

    candidates: tuple[Scored, ...]
    scores: tuple[float, ...]

    @property
    def best(self) -> str:
        """The likeliest candidate; the first of those that are equal."""
        return self.candidates[int(np.argmax(self.scores))].text


class Scorer:
    """Likelihoods of texts, in batches of like length; see `likelihoods_of` for its compilations.

    Results depend on neither the batch size nor the other records, up to rounding.

    Attributes:
      throughput: of all calls up to now; tokens are those that were scored.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        features: Mapping[str, Feature],
        *,
        objectives: Sequence[GlmObjective] = (),
        batch_size: int = 64,
    ):
        """Makes a scorer.

        Args:
          model: an encoder-decoder, or a decoder alone.
          params: of the model.
          features: "targets", and "inputs" where a task has them. A language model, without, reads
            inputs as text to go on from, in the vocabulary of the targets and without an end.
          objectives: that a model was trained with which fills blanks: inputs have one then, and
            targets fill it; see `BlankReader`.
          batch_size: texts that are scored at a time.

        Raises:
          UserError: if the model gives texts no likelihood.
        """
        self._batcher = Batcher(batch_size, "scored")
        self.throughput = self._batcher.throughput
        if isinstance(model.config, DecoderOnly) and "inputs" not in features:
            # As it was trained on such a task, and as it generates: what it goes on from is text.
            config = dataclasses.replace(model.config, prefix_lm=False)
            model = dataclasses.replace(model, config=config)
        blanks = BlankReader(model.config, features, objectives, 1) if objectives else None
        self._likelihoods = likelihoods_of(model, params, self._batcher, blanks)
        needs_inputs = isinstance(model.config, EncoderDecoder)
        self._read = (
            FilledBlanks(blanks) if blanks else TextPairs(features, needs_inputs=needs_inputs)
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the targets."""
        return self._read.vocabulary

    def score(self, records: Iterable[Mapping[str, Any]]) -> Iterator[Scored]:
        """Yields the likelihood of the "targets" of each record after its "inputs", in order.

        A decoder alone takes records without inputs, too: the likelihood from the start token on.

        Raises:
          UserError: which names the record, counted from 1, if it has no such strings, or more
            tokens than the model reads.
        """
        for (scored,) in self.score_all(_numbered(records, to_score)):
            yield scored

    def rank(
        self, records: Iterable[Mapping[str, Any]], *, normalize: bool = False
    ) -> Iterator[Ranking]:
        """Yields how each record's "candidates", a list of strings, rank after its "inputs".

        Args:
          records: with as many candidates as they like.
          normalize: divide log-likelihoods by numbers of tokens, which favours long candidates.

        Raises:
          UserError: as `score`; also on an empty list, a candidate without tokens, or one that is
            there twice.
        """
        for candidates in self.score_all(_numbered(records, to_rank)):
            scores = tuple(scored.score(normalize=normalize) for scored in candidates)
            yield Ranking(candidates, scores)

    def score_all(self, records: Iterable[ScoringRecord]) -> Iterator[tuple[Scored, ...]]:
        """Yields the likelihoods of each record's texts, in order, reading a little ahead."""
        return self._batcher.by_window(records, self._scored)

    def score_tokens(self, items: Iterable[Alternatives]) -> Iterator[list[TokenScores]]:
        """Yields, for each item's targets, `[length]` each; for texts that are tokens already.

        Raises:
          UserError: which names the item, counted from 1, if it has more than the model reads.
        """

        def work(window: list[tuple[int, Alternatives]]) -> list[list[TokenScores]]:
            for number, item in window:
                self._likelihoods.check(item, f"Record {number}")
                self.throughput.tokens += sum(map(len, item.targets))
            return self._likelihoods([item for _, item in window])

        return self._batcher.by_window(enumerate(items, 1), work)

    def _scored(self, window: list[ScoringRecord]) -> list[tuple[Scored, ...]]:
        tokens = [self._tokens(record) for record in window]
        scored = []
        for record, item, found in zip(window, tokens, self._likelihoods(tokens), strict=True):
            self.throughput.tokens += sum(map(len, item.targets))
            texts = zip(record.targets, item.targets, found, strict=True)
            scored.append(tuple(Scored(text, ids, *of) for text, ids, of in texts))
        return scored

    def _tokens(self, record: ScoringRecord) -> Alternatives:
        tokens = self._read(record)
        for text, target in zip(record.targets, tokens.targets, strict=True):
            if record.ranked and not len(target):
                raise UserError(
                    f"{record.where}: the candidate {text!r} is no tokens at all, so none could be "
                    f"likelier."
                )
        self._likelihoods.check(tokens, record.where)
        return tokens


def _numbered(
    records: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any], str], ScoringRecord]
) -> Iterator[ScoringRecord]:
    return (read(record, f"Record {number}") for number, record in enumerate(records, 1))
