"""Records in, predictions out: a trained model on any number of them."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from t2t.data import randomness
from t2t.decoding.batcher import Batcher, numbered
from t2t.decoding.beam import Beam
from t2t.decoding.compiled import Compiled
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.length_buckets import Bucket
from t2t.decoding.position_limits import position_limit
from t2t.decoding.prediction import Asked, Numbered, Prediction
from t2t.decoding.processors.allowed import check_some_allowed
from t2t.decoding.prompts import check_generates, collate
from t2t.decoding.reading import Draft, Output, Reader, until_end
from t2t.decoding.sampling import Sampling
from t2t.decoding.strategy import Generated
from t2t.errors import UserError
from t2t.models.definition import Model, Params


@dataclasses.dataclass(frozen=True)
class _Line:
    """One of the outputs for a record, as far as it goes.

    Attributes:
      name: of the record.
      seed: of what is drawn next.
      score: of what was said.
      state: finished or not.
    """

    name: str
    seed: int
    score: float
    state: Draft | Output


class Predictor:
    """Generates for records in batches of like length, with one compilation per length class.

    Results depend on neither the batch size nor the other records; what is drawn depends on a
    record's "seed", by default its number in the stream.

    Attributes:
      throughput: of all calls up to now.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        reader: Reader,
        decoding: Decoding,
        *,
        batch_size: int = 64,
    ):
        """Raises UserError if the model does not generate or no token is ever allowed."""
        self._batcher = Batcher(batch_size)
        config = check_generates(model.config)
        check_some_allowed(decoding.processors, model.config.vocab_size)
        self.throughput, self._reader = self._batcher.throughput, reader
        tokens = dataclasses.replace(config.tokens, eos=reader.eos_id)
        self._config = dataclasses.replace(config, tokens=tokens)
        model = dataclasses.replace(model, config=self._config)
        self._stops = decoding.ends(reader.eos_id)
        self._best_first = isinstance(decoding.strategy, Beam)
        self._first = self._compiled(model, params, decoding)
        self._next = self._first
        if isinstance(decoding.strategy, Sampling) and decoding.strategy.num_samples > 1:
            one = dataclasses.replace(decoding.strategy, num_samples=1)
            one_each = dataclasses.replace(decoding, strategy=one)
            self._next = self._compiled(model, params, one_each)

    def _compiled(self, model: Model, params: Params, decoding: Decoding) -> Compiled:
        def function(params, batch, seeds, active):
            return generate(model.bind(params), batch, decoding, seeds=seeds, active=active)

        return self._batcher.compiled(function, params)

    def predict(self, records: Iterable[Asked]) -> Iterator[list[Prediction]]:
        """Yields the predictions for each record, in order, reading a little ahead.

        There are as many as the strategy returns; beam search gives the best first, and may find
        fewer.

        Args:
          records: with "inputs", and possibly "prefix", with which the output begins, and "seed";
            a string is its inputs.

        Raises:
          UserError: a record lacks its inputs, is too long, or no token is allowed in its output.
        """
        return self._batcher.by_window(numbered(records), self._predicted)

    def _begin(self, asked: Numbered) -> _Line:
        name, seed = asked.name, asked.record.get("seed", asked.number)
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
            raise UserError(f"{name} has the seed {seed!r}; it must be a number below 2 ** 31.")
        return _Line(name, seed, 0.0, self._reader.read(asked.record, name))

    def _predicted(self, window: list[Numbered]) -> list[list[Prediction]]:
        by_record = self._extended([self._begin(asked) for asked in window], self._first)
        while True:
            places = [
                (i, j)
                for i, record in enumerate(by_record)
                for j, line in enumerate(record)
                if isinstance(line.state, Draft)
            ]
            if not places:
                break
            unfinished = [by_record[i][j] for i, j in places]
            for (i, j), (line, *_) in zip(
                places, self._extended(unfinished, self._next), strict=True
            ):
                by_record[i][j] = line
        if self._best_first:  # what was said later may have changed the order
            for record in by_record:
                record.sort(key=lambda line: -line.score)
        return [[_prediction(line) for line in record] for record in by_record]

    def _extended(self, lines: list[_Line], run: Compiled) -> list[list[_Line]]:
        """For each line, those that it becomes when its draft has been read."""
        drafts = [line.state for line in lines if isinstance(line.state, Draft)]
        prompts = [draft.prompt for draft in drafts]
        limit = position_limit(self._config.decoder)
        # Blanks share the position of their mask, so that a prompt may be longer than the limit.
        elsewhere = prompts[0].encoder is not None or "block_positions" in prompts[0].decoder
        most = None if elsewhere else limit

        def start(bucket: Bucket) -> Generated:
            batch = collate(prompts, bucket, self._config.tokens.pad, limit)
            seeds = np.zeros(bucket.rows, np.int32)
            seeds[: len(bucket.members)] = [lines[i].seed for i in bucket.members]
            active = np.arange(bucket.rows) < len(bucket.members)
            return run(batch, seeds, active)

        found = self._batcher.by_length([p.length for p in prompts], most, start)
        return [self._continued(*each) for each in zip(lines, drafts, found, strict=True)]

    def _continued(self, line: _Line, draft: Draft, generated: Generated) -> list[_Line]:
        """Of int `[n, max_length]` tokens and float `[n]` scores."""
        tokens, scores = map(np.asarray, generated)
        possible = [n for n, score in enumerate(scores.tolist()) if score > -np.inf]
        if not possible:
            raise UserError(
                f"{line.name}: at some token everything was forbidden. Look at what the processors "
                f"allow (Decoding.processors, --allowed_tokens, --blocked_tokens). Without any, "
                f"the model computed NaN."
            )
        lines = []
        for n in possible:
            said = until_end(tokens[n], *self._stops)
            self.throughput.tokens += min(len(said) + 1, len(tokens[n]))
            seed = randomness.fold(line.seed, f"output {n}") & 0x7FFFFFFF
            score = line.score + float(scores[n])
            lines.append(_Line(line.name, seed, score, draft.then(said)))
        return lines


def _prediction(line: _Line) -> Prediction:
    assert isinstance(line.state, Output)
    return Prediction(line.state.text, line.score, line.state.details)
