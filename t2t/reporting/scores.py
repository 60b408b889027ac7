"""Scores of texts as JSON lines."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from t2t.data.vocabularies import Vocabulary
from t2t.decoding.scorer import Ranking, Scored


def as_json(
    record: Mapping[str, Any],
    scored: Sequence[Scored],
    *,
    vocabulary: Vocabulary,
    ranked: bool,
    normalize: bool = False,
    per_token: bool = False,
) -> str:
    """The record, with "best" and "scores" of its candidates, or "score" and "tokens" of its text.

    Args:
      record: as it was read.
      scored: its candidates, or its text.
      vocabulary: of their tokens.
      ranked: whether they are candidates.
      normalize: divide log-likelihoods by numbers of tokens.
      per_token: with "per_token", pairs of a token and its log-probability (a list of such lists
        for candidates).
    """
    scores = [text.score(normalize=normalize) for text in scored]
    rounded = [round(score, 6) for score in scores]
    tokens: list[Any] = [_tokens(text, vocabulary) for text in scored]
    if ranked:
        best = Ranking(tuple(scored), tuple(scores)).best
        fields: dict[str, Any] = {"best": best, "scores": rounded}
    else:
        (tokens,) = tokens
        fields = {"score": rounded[0], "tokens": len(tokens)}
    if per_token:
        fields["per_token"] = tokens
    return json.dumps({**record, **fields}, ensure_ascii=False)


def _tokens(scored: Scored, vocabulary: Vocabulary) -> list[Any]:
    pairs = zip(scored.tokens, scored.log_probs, strict=True)
    return [[vocabulary.readable([token]), round(float(value), 6)] for token, value in pairs]
