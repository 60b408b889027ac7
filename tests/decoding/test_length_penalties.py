import pytest

from t2t.decoding.length_penalties import BrevityPenalty, LengthPower
from t2t.errors import UserError


@pytest.mark.parametrize(
    ("penalty", "length", "expected"),
    [
        (BrevityPenalty(0.6), 1, 1.0),
        (BrevityPenalty(0.6), 7, 2**0.6),
        (BrevityPenalty(1.0), 13, 3.0),
        (BrevityPenalty(0.0), 50, 1.0),
        (LengthPower(), 9, 9.0),
        (LengthPower(0.5), 16, 4.0),
        (LengthPower(-1.0), 4, 0.25),
        (LengthPower(0.0), 12, 1.0),
    ],
)
def test_known_answers(penalty, length, expected):
    assert penalty(length) == pytest.approx(expected)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    ("penalty", "name"),
    [(BrevityPenalty, "BrevityPenalty.alpha"), (LengthPower, "LengthPower.exponent")],
)
def test_an_exponent_is_finite(penalty, name, value):
    with pytest.raises(UserError, match=f"{name} must be a finite number, got {value}"):
        penalty(value)
