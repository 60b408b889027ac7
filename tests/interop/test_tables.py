import dataclasses

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.interop.tables import Rule, Table
from t2t.interop.writing import write_tensors
from t2t.models.parameter_paths import flatten, unflatten
from tests.interop import toy


@pytest.fixture
def ours():
    return toy.params()


@pytest.fixture
def theirs(ours):
    return write_tensors(toy.TABLE, unflatten(ours))


def read(tensors, table=toy.TABLE):
    return flatten(read_params(table, MemorySource(tensors), unflatten(toy.params())))


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert actual[name].dtype == np.float32
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


def test_written_as_the_table_says(ours, theirs):
    q, k, v = (ours[path][2] for path in toy.QKV)
    expected = {
        "base.wte.weight": np.pad(ours["token_embedder/embedding"], ((0, 2), (0, 0))),
        "base.low": ours["decoder/positions/embedding"][:1],
        "base.high": ours["decoder/positions/embedding"][1:],
        "base.h.2.attn.weight": np.concatenate([q.T, k.T, v.T]),
        "base.h.1.mlp.weight": ours["decoder/layers/mlp/wo/kernel"][1].T,
        "base.h.0.mlp.bias": ours["decoder/layers/mlp/wo/bias"][0],
        "base.ln_f.weight": ours["decoder/final_norm/scale"],
        "bias": ours["lm_head/bias"],
        "zeros": np.zeros((1, 2), np.float32),
    }
    assert len(theirs) == 3 + 3 * 3 + 3
    assert_same({name: theirs[name] for name in expected}, expected)


def test_reading_what_was_written_gives_the_same_bits(ours, theirs):
    assert_same(read(theirs), ours)


def test_without_the_base_prefix(ours, theirs):
    assert_same(read({name.removeprefix("base."): a for name, a in theirs.items()}), ours)


def test_old_spelling(ours, theirs):
    theirs["base.ln_f.gamma"] = theirs.pop("base.ln_f.weight")
    assert_same(read(theirs), ours)


def test_buffers_are_ignored(ours, theirs):
    assert_same(read({**theirs, "base.h.0.mask": np.ones(3), "h.1.mask": np.ones(3)}), ours)


def test_other_name_alone_or_equal(ours, theirs):
    assert_same(read({**theirs, "head.weight": theirs["base.wte.weight"]}), ours)
    theirs["head.weight"] = theirs.pop("base.wte.weight")
    assert_same(read(theirs), ours)


def test_other_name_with_other_values(theirs):
    with pytest.raises(UserError, match=r"'base.wte.weight' and 'head.weight' in memory differ"):
        read({**theirs, "head.weight": theirs["base.wte.weight"] + 1})


def test_absent_is_filled(ours, theirs):
    del theirs["bias"]
    assert_same(read(theirs), {**ours, "lm_head/bias": np.zeros(5, np.float32)})


def test_constant_may_be_absent_but_not_different(ours, theirs):
    del theirs["zeros"]
    assert_same(read(theirs), ours)
    with pytest.raises(UserError, match="'zeros' in memory is not 0 everywhere"):
        read({**theirs, "zeros": np.ones((1, 2))})


def test_all_faults_in_one_message(theirs):
    del theirs["base.h.1.mlp.bias"], theirs["base.low"]
    theirs["base.h.1.mlp.biass"] = np.ones(4)
    theirs["base.ln_f.weight"] = np.ones(5)
    with pytest.raises(UserError) as error:
        read(theirs)
    assert str(error.value) == (
        "The tensors in memory are not those of the model that its configuration describes. "
        "2 missing: 'base.low', 'base.h.1.mlp.bias'. "
        "1 not known: 'base.h.1.mlp.biass' (in memory). "
        "1 of another shape: 'base.ln_f.weight' is [5], needs [4] (in memory)."
    )


def test_table_that_does_not_fit_the_model():
    rules = (*toy.TABLE.rules[1:], toy.TABLE.rules[1], Rule("other", "other"))
    with pytest.raises(ValueError, match="without a rule: token_embedder/embedding; in rules but"):
        read({}, dataclasses.replace(toy.TABLE, rules=rules))


def test_empty_table():
    assert read_params(Table(()), MemorySource({}), {}) == {}
