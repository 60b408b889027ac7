"""Rules and linear models that tasks are compared with: `baseline_fn`s, fitted when first asked.

Those that learn do so on the training split of their own task, read by the task's own function, and
draw nothing at random, so that their scores are the same on every machine.
"""

import abc
import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data.sources.archives import data_folder
from t2t.optional import optional_import

Load = Callable[[str], Sequence[Mapping[str, Any]]]


def copy(prefix: str) -> Callable[[str], str]:
    """The inputs themselves, without the `prefix` that names the task."""
    return lambda inputs: inputs.removeprefix(prefix)


class Fitted(abc.ABC):
    """A baseline that learns from the training split; once for each data folder.

    Args:
      load: gives the examples of a split.
      prefix: of the inputs, which names the task.
      text: field of the examples that follows the prefix.
      target: field that is to be told.
    """

    def __init__(self, load: Load, prefix: str, text: str, target: str):
        self._load, self._prefix, self._text, self._target = load, prefix, text, target
        self._model_in = functools.lru_cache(maxsize=1)(self._fit_in)

    def __call__(self, inputs: str) -> str:
        """The prediction for the inputs of one example."""
        return self.predict(self._model_in(data_folder()), inputs.removeprefix(self._prefix))

    def _fit_in(self, folder: Path) -> Any:
        del folder  # part of the cache's key
        examples = self._load("train")
        return self.fit([e[self._text] for e in examples], [e[self._target] for e in examples])

    @abc.abstractmethod
    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Any:
        """What is learnt from the training split."""

    @abc.abstractmethod
    def predict(self, model: Any, text: str) -> str:
        """The target of a text."""


class Majority(Fitted):
    """The most frequent target, of several the first by letter."""

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> str:
        return _most_common(Counter(targets))

    def predict(self, model: str, text: str) -> str:
        return model


class LinearClassifier(Fitted):
    """TF-IDF of words and pairs of words, logarithmic counts, and a linear SVM (LIBLINEAR)."""

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> Any:
        extraction = _sklearn("feature_extraction.text")
        model = _sklearn("pipeline").make_pipeline(
            extraction.TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2),
            _sklearn("svm").LinearSVC(random_state=0),
        )
        return model.fit(texts, targets)

    def predict(self, model: Any, text: str) -> str:
        return str(model.predict([text])[0])


class EndingRules(Fitted):
    """How words with the same ending change most often: the longest known ending of up to four."""

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> dict[str, tuple[int, str]]:
        changes: dict[str, Counter] = defaultdict(Counter)
        for word, form in zip(texts, targets, strict=True):
            kept = _common_start(word, form)
            change = (len(word) - kept, form[kept:])
            for length in range(min(4, len(word)) + 1):
                if change[0] <= length:  # an ending does not tell of what stands before it
                    changes[word[len(word) - length :]][change] += 1
        return {ending: _most_common(counts) for ending, counts in changes.items()}

    def predict(self, model: dict[str, tuple[int, str]], text: str) -> str:
        endings = (text[len(text) - n :] for n in range(min(4, len(text)), -1, -1))
        removed, added = next((model[e] for e in endings if e in model), (0, ""))
        return text[: len(text) - removed] + added


class LetterSounds(Fitted):
    """Each letter's most frequent sound between its neighbours, from words with one sound each.

    Of a letter that was not seen between these, its sound before the next letter, or its own.
    """

    def fit(self, texts: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
        heard: dict[str, Counter] = defaultdict(Counter)
        for word, sounds in zip(texts, map(str.split, targets), strict=True):
            if len(word) == len(sounds):
                for contexts, sound in zip(_contexts(word), sounds, strict=True):
                    for context in contexts:
                        heard[context][sound] += 1
        return {context: _most_common(counts) for context, counts in heard.items()}

    def predict(self, model: dict[str, str], text: str) -> str:
        found = (
            next((model[c] for c in contexts if c in model), None) for contexts in _contexts(text)
        )
        sounds = [sound for sound in found if sound]
        return " ".join(s for i, s in enumerate(sounds) if i == 0 or s != sounds[i - 1])


def _contexts(word: str) -> list[tuple[str, str, str]]:
    """Of each letter: itself with both neighbours, with the next, and alone."""
    padded = f"^{word}$"
    return [
        (padded[i - 1 : i + 2], padded[i : i + 2], padded[i]) for i in range(1, len(padded) - 1)
    ]


def _common_start(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _most_common(counts: Counter) -> Any:
    return min(counts, key=lambda item: (-counts[item], item))


def _sklearn(module: str) -> Any:
    return optional_import(f"sklearn.{module}", "The linear baseline", extra="metrics")
