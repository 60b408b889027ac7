import pytest

from t2t.decoding.length_penalties import BrevityPenalty, LengthPower


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
