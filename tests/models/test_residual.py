"""Where norms stand, with functions whose order shows in the result."""

import pytest

from t2t.models.residual import PostNorm, PreNorm, SandwichNorm

PLACED = {
    PreNorm: "x + drop(f(n0(x)))",
    PostNorm: "n0(x + drop(f(x)))",
    SandwichNorm: "x + drop(n1(f(n0(x))))",
}


class Text(str):
    def __add__(self, other):
        return Text(f"{self} + {other}")


def named(name):
    return lambda x: Text(f"{name}({x})")


@pytest.mark.parametrize("placement", PLACED)
def test_norms_stand_where_they_should(placement):
    norms = [named(f"n{i}") for i in range(len(placement.norms))]
    assert placement()(Text("x"), named("f"), named("drop"), norms) == PLACED[placement]
