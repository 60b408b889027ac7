"""Texts in which special tokens are written by name."""

import re
from collections.abc import Mapping

import numpy as np

from t2t.data.vocabularies import Vocabulary


def encode_written(text: str, written: Mapping[str, int], vocabulary: Vocabulary) -> np.ndarray:
    """int32 `[length]` tokens of a text; what is `written` there by name becomes that id.

    The parts in between are encoded by themselves. Vocabularies that know the name of a special
    token in a text find it there, too.
    """
    if not written:
        return vocabulary.encode_array(text)
    names = sorted(written, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, names))})", text)
    encoded = [
        np.array([written[part]], np.int32) if part in written else vocabulary.encode_array(part)
        for part in parts
    ]
    return np.concatenate(encoded)
