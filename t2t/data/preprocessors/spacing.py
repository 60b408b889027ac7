"""Spaces around characters, for models that take words to be what stands between spaces."""

import re
import string

from t2t.data.preprocessors import fields
from t2t.data.preprocessors.apply import Preprocessor
from t2t.data.sources import Example

# ASCII only, as in T5: U+3000 is neither punctuation nor a space.
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_SPACES = re.compile(r"[\t\n\f\r ]+")

_NONSPACED_SCRIPTS = {
    "Burmese": "\u1000-\u104f",
    "CJK ideographs": "\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff",
    "CJK radicals, strokes, punctuation": "\u2e80-\u2eff\u31c0-\u31ef\u3000-\u303f",
    "Hiragana": "\u3040-\u309f",
    "Javanese": "\ua980-\ua9df",
    "Katakana": "\u30a0-\u30ff",
    "Khmer": "\u1780-\u17ff\u19e0-\u19ff",
    "Lao": "\u0e80-\u0eff",
    "Tai Lue": "\u1980-\u19df",
    "Tai Tham": "\u1a20-\u1aaf",
    "Thai": "\u0e00-\u0e7f",
    "Tibetan": "\u0f00-\u0fff",
}
_NONSPACED = re.compile(f"[{''.join(_NONSPACED_SCRIPTS.values())}]")


def pad_punctuation(text: str) -> str:
    """Puts a space before and after each character of ASCII punctuation, the underscore included.

    Runs of spaces become one; the text keeps one at an end where punctuation was: `Yes . `.
    """
    return squeeze(_PUNCTUATION.sub(r" \g<0> ", text))


def pad_nonspaced_languages(text_key: str = "text") -> Preprocessor:
    """Puts spaces around each character of the scripts that are written without (Chinese, Thai)."""

    def apply(example: Example) -> Example:
        return {**example, text_key: spaced_characters(fields.text(example, text_key))}

    return apply


def spaced_characters(text: str) -> str:
    """A text with spaces around each character of the scripts that are written without."""
    return squeeze(_NONSPACED.sub(r" \g<0> ", text))


def squeeze(text: str) -> str:
    """Makes one space of each run of ASCII white space."""
    return _SPACES.sub(" ", text)
