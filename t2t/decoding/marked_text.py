"""Text in which some tokens are marked."""

import numpy as np

from t2t.data.vocabularies import Vocabulary


def marked(tokens: np.ndarray, marks: np.ndarray, vocabulary: Vocabulary) -> str:
    """The text of int `[length]` tokens, with brackets around runs of those that bool `marks` mark.

    White space stays outside the brackets. A token that adds no characters, such as the first byte
    of one, is marked together with what follows.
    """
    whole, pieces, written = vocabulary.decode(tokens), [], 0

    def place(number: int) -> int:
        """Where the characters of the first tokens end."""
        said = vocabulary.decode(tokens[:number])
        if whole.startswith(said):
            return len(said)
        characters = enumerate(zip(said, whole, strict=False))
        return next((i for i, (mine, theirs) in characters if mine != theirs), len(whole))

    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        start, stop = max(place(first), written), place(end)
        while end < len(tokens) and stop <= max(start, place(end - 1)):  # within a character
            end += 1
            stop = place(end)
        text = whole[start:stop]
        if text.strip():
            start += len(text) - len(text.lstrip())
            stop -= len(text) - len(text.rstrip())
        if start < stop:
            pieces += [whole[written:start], "[", whole[start:stop], "]"]
            written = stop
    return "".join([*pieces, whole[written:]])
