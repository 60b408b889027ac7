"""Beam search, with the hypotheses of Hugging Face and the length penalties of both worlds."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2t.decoding.history import History
from t2t.decoding.length_penalties import BrevityPenalty, LengthPenalty
from t2t.decoding.strategy import Decoder, Generated, Rules, Strategy
from t2t.decoding.top_k import top_k
from t2t.errors import UserError
from t2t.models.config import at_least_one, one_of

STOPS = ("exact", "heuristic", "first")


@dataclasses.dataclass(frozen=True)
class Beam(Strategy):
    """The best sequences among those that begin with one of the `size` best prefixes.

    A hypothesis ends if its end of sequence is among the `size` best continuations of an input, or
    at the greatest length. Its score is the sum of its log-probabilities, as processors leave them,
    divided by the penalty of its length (generated tokens, the end of sequence included).

    Attributes:
      size: hypotheses kept per input, live ones and, apart from them, finished ones.
      num_returned: of the best finished ones.
      length_penalty: divides scores.
      stop: what ends the search of an input. "exact": no live hypothesis could still overtake the
        worst finished one, whatever its length (T5X; Hugging Face: early_stopping="never").
        "heuristic": it would not if it ended now (False). "first": `size` are finished (True).
    """

    size: int = 4
    num_returned: int = 1
    length_penalty: LengthPenalty = BrevityPenalty(0.6)  # noqa: RUF009 (frozen)
    stop: str = "exact"

    def __post_init__(self):
        at_least_one(self, "size", "num_returned")
        one_of("Beam.stop", self.stop, STOPS)
        if self.num_returned > self.size:
            raise UserError(
                f"Beam.num_returned is {self.num_returned}, but a beam of size {self.size} finds "
                f"no more than {self.size} sequences: raise Beam.size."
            )

    def search(
        self, module: Decoder, logits: jax.Array, state: Any, history: History, rules: Rules
    ) -> Generated:
        batch, vocab = logits.shape
        penalties = _penalties(self.length_penalty, rules.max_length)
        greatest = np.maximum.accumulate(penalties[::-1])[::-1]  # of any length from here on
        prospects = greatest if self.stop == "exact" else penalties
        first_rows = jnp.arange(batch)[:, None] * self.size

        def extend(found: _Hypotheses, logits: jax.Array) -> _Hypotheses:
            step = found.history.step
            log_probs = rules.process(jax.nn.log_softmax(logits, axis=-1), found.history)
            totals = (found.live.reshape(-1, 1) + log_probs).reshape(batch, self.size * vocab)
            # Each row ends in as many ways as there are stops: `size` stay alive even if all do.
            kept = min((1 + len(rules.stops)) * self.size, self.size * vocab)
            totals, flat = top_k(totals, kept)
            rows, tokens = first_rows + flat // vocab, flat % vocab
            ends = rules.ends(tokens) | (step + 1 == rules.max_length)

            best = slice(self.size)
            ended = ends[:, best] & found.open[:, None]
            scores = totals[:, best] / jnp.asarray(penalties)[step]
            followed = found.history.follow(rows[:, best], tokens[:, best])
            sequences = followed.generated(rules.max_length).reshape(batch, self.size, -1)
            just_finished = Generated(sequences, jnp.where(ended, scores, -jnp.inf))
            finished = _best_of(found.finished, just_finished)

            live, alive = top_k(jnp.where(ends, -jnp.inf, totals), self.size)
            rows, tokens = (jnp.take_along_axis(x, alive, axis=1) for x in (rows, tokens))
            worst = finished.scores[:, -1]
            improvable = live[:, 0] / jnp.asarray(prospects)[step] > worst
            full = (worst > -jnp.inf) & (self.stop == "first")
            return _Hypotheses(
                history=found.history.follow(rows, tokens),
                live=live,
                origins=rows.reshape(-1),
                finished=finished,
                open=found.open & improvable & ~full,
            )

        def unfinished(carry):
            found, _ = carry
            return (found.history.step < rules.max_length) & jnp.any(found.open)

        def step(carry):
            found, state = carry
            state = state.take(found.origins)
            logits, state = module.decode_step(found.history.last, state)
            return extend(found, logits), state

        nothing = jnp.full((batch, self.size), -jnp.inf)
        found = _Hypotheses(
            history=history.repeat(self.size),
            live=nothing.at[:, 0].set(0.0),  # the others are copies of it
            origins=jnp.zeros((batch * self.size,), jnp.int32),
            finished=Generated(jnp.zeros((batch, self.size, rules.max_length), jnp.int32), nothing),
            open=rules.active,
        )
        found = extend(found, jnp.repeat(logits, self.size, axis=0))
        found, _ = jax.lax.while_loop(unfinished, step, (found, state.repeat(self.size)))
        return rules.result(*(x[:, : self.num_returned] for x in found.finished))


def _penalties(penalty: LengthPenalty, max_length: int) -> np.ndarray:
    """Of all lengths; raises UserError unless each is a number above 0 that float32 can hold."""
    try:
        values = np.array([penalty(n) for n in range(1, max_length + 1)], np.float64)
    except OverflowError:
        values = np.array([np.inf])
    range_ = np.finfo(np.float32)
    if not ((values >= range_.tiny) & (values <= range_.max)).all():
        raise UserError(
            f"Beam.length_penalty = {penalty} is not a finite number above 0 at every length up to "
            f"{max_length}, by which scores could be divided."
        )
    return values.astype(np.float32)


class _Hypotheses(NamedTuple):
    history: History  # of the live ones, [batch * size] rows
    live: jax.Array  # float32 [batch, size]: log-probabilities, best first; -inf is none
    origins: jax.Array  # int32 [batch * size]: rows of the state that the live ones go on from
    finished: Generated  # best first, size of them; a score of -inf is none
    open: jax.Array  # bool [batch]: whether better ones may be found


def _best_of(ours: Generated, others: Generated) -> Generated:
    """As many as there are of ours, best first; ours come before equals."""
    tokens, scores = (jnp.concatenate(pair, axis=1) for pair in zip(ours, others, strict=True))
    scores, order = top_k(scores, ours.scores.shape[1])
    return Generated(jnp.take_along_axis(tokens, order[:, :, None], axis=1), scores)
