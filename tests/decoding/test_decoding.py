import pytest

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.greedy import Greedy
from t2t.decoding.processors.warping import TopK
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 0}, "Decoding.max_length must be at least 1, got 0"),
        ({"min_length": -1}, "Decoding.min_length must be at least 0, got -1"),
        ({"min_length": 9, "max_length": 8}, "min_length is 9, but Decoding.max_length is 8"),
    ],
)
def test_lengths_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        Decoding(**settings)


@pytest.mark.parametrize("strategy", [Greedy(), Sampling(top_p=0.9), Beam(3, stop="first")])
def test_settings_are_hashable_so_that_they_can_be_static(strategy):
    one, same = (Decoding(strategy, 8, processors=[TopK(2)]) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != Decoding(strategy, 9, processors=[TopK(2)])


@pytest.mark.parametrize(
    ("strategy", "count"),
    [
        (Greedy(), 1),
        (Sampling(num_samples=3), 3),
        (Sampling(num_samples=2, distinct=True), 2),
        (Beam(5, num_returned=4), 4),
    ],
)
def test_strategies_say_how_many_sequences_they_return(strategy, count):
    assert strategy.num_returned == count
