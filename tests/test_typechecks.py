import collections.abc

import pytest

from t2t.evaluation.policy import EvalPolicy
from t2t.training.partitioning import MeshShape
from t2t.typechecks import describe, matches

FITS = [
    (3, int), (3, float), (3.5, float), ("a", str), (True, bool), (None, None), (None, int | None),
    (3, int | None), ((1, 2), tuple[int, ...]), ([1, 2], tuple[int, ...]),
    ({"a": 1}, collections.abc.Mapping[str, int]), (len, collections.abc.Callable[[str], int]),
]  # fmt: skip
FAILS = [
    (3.5, int), (True, int), (True, float), ("3", int), (1, bool), (None, int), (0, None),
    (("a",), tuple[int, ...]), ("ab", tuple[str, ...]),
    ({"a": "b"}, collections.abc.Mapping[str, int]),
    ([1], collections.abc.Mapping[str, int]), (3, collections.abc.Callable[[str], int]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "annotation"), FITS)
def test_fits(value, annotation):
    assert matches(value, annotation)


@pytest.mark.parametrize(("value", "annotation"), FAILS)
def test_does_not_fit(value, annotation):
    assert not matches(value, annotation)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "a whole number"),
        (str | None, "a string or None"),
        (tuple[float, ...], "a tuple of a number each"),
        (collections.abc.Callable[[int], float], "a function, as in @NAME()"),
        (EvalPolicy, "an EvalPolicy"),
        (MeshShape | None, "a MeshShape or None"),
        (collections.abc.Mapping[str, int], "a dict of a string to a whole number"),
    ],
)
def test_described(annotation, words):
    assert describe(annotation) == words
