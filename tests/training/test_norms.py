import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training.norms import NormGroups, norms

TREE = {
    "encoder": {"layers": {"mlp": {"wi": jnp.array([[3.0, 4.0]])}, "norm": jnp.array([1.0])}},
    "embedder": {"table": jnp.array([[2.0], [1.0]], jnp.bfloat16)},
}


def test_parts_are_the_first_components_of_names():
    found = norms(TREE, NormGroups().select(TREE), "grad_norm")
    assert found == {
        "grad_norm": pytest.approx(np.sqrt(9 + 16 + 1 + 4 + 1)),
        "grad_norm/encoder": pytest.approx(np.sqrt(26)),
        "grad_norm/embedder": pytest.approx(np.sqrt(5)),
    }
    assert {x.dtype for x in found.values()} == {jnp.dtype("float32")}


def test_parts_can_be_named_by_patterns_and_overlap():
    parts = NormGroups({"mlp": ".*/mlp/.*", "all": ".*"}).select(TREE)
    assert norms(TREE, parts, "n") == {
        "n": pytest.approx(np.sqrt(31)),
        "n/mlp": pytest.approx(5.0),
        "n/all": pytest.approx(np.sqrt(31)),
    }
    with pytest.raises(UserError, match=r"NormGroups.patterns: 'mpl/.*' matches no parameter"):
        NormGroups({"mlp": "mpl/.*"}).select(TREE)


def test_parts_that_are_not_trained_have_no_norm():
    trained = {"embedder": TREE["embedder"]}
    found = norms(trained, NormGroups().select(TREE), "n")
    assert set(found) == {"n", "n/embedder"}
