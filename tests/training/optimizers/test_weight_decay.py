import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training.optimizers import WeightDecay, adafactor, adamw, lion
from t2t.training.schedules import constant_schedule
from tests.training.optimizers.runs import draw, run

PARAMS = {
    "embedder": {"embedding": draw((4, 3), 0)},
    "layers": {"wi": {"kernel": draw((2, 3, 5), 1)}, "norm": {"scale": draw((2, 3), 2)}},
}


def decayed(mask):
    return {path for path, decays in zip(PATHS, jax.tree.leaves(mask), strict=True) if decays}


PATHS = ["embedder/embedding", "layers/norm/scale", "layers/wi/kernel"]


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        (WeightDecay(0.1), {"embedder/embedding", "layers/wi/kernel"}),
        (WeightDecay(0.1, exclude=("embedder/.*",)), {"layers/wi/kernel"}),
        (WeightDecay(0.1, include=(".*",)), set(PATHS)),
        (WeightDecay(0.1, ("layers/.*",), (".*/kernel",)), {"layers/norm/scale"}),
    ],
)
def test_patterns_choose_what_decays(decay, expected):
    assert decayed(decay.mask(PARAMS)) == expected


@pytest.mark.parametrize("make", [adafactor, adamw, lion])
def test_only_what_is_chosen_shrinks(make):
    optimizer = make(constant_schedule(0.5), weight_decay=WeightDecay(0.1, (".*/embedding",)))
    zeros = jax.tree.map(np.zeros_like, PARAMS)
    after = run(optimizer.transformation, PARAMS, lambda _: zeros, steps=1)
    shrunk = {
        path: float(np.mean(new / old))
        for path, new, old in zip(
            PATHS, jax.tree.leaves(after), jax.tree.leaves(PARAMS), strict=True
        )
    }
    assert shrunk == pytest.approx(dict.fromkeys(PATHS, 1.0) | {"embedder/embedding": 0.95})


def test_a_pattern_that_matches_nothing_is_refused():
    with pytest.raises(UserError, match=r"WeightDecay.exclude: 'embeder/.\*' matches no parameter"):
        WeightDecay(0.1, exclude=("embeder/.*",)).mask(PARAMS)


@pytest.mark.parametrize("rate", [-0.1, float("nan")])
def test_the_rate_cannot_be_negative(rate):
    with pytest.raises(UserError, match=r"WeightDecay.rate must be 0 or more"):
        adamw(constant_schedule(0.1), weight_decay=rate)
