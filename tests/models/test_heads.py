import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.config import Compute, Dropout
from t2t.models.heads import HeadTransform, LMHead, SequenceClasses, Spans, TokenClasses
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm
from t2t.models.shared import Shared


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def build(spec, rate=0.0):
    shared = Shared(NormalInit(1.0), Dropout(head=rate), Compute())
    head = spec.build(4, 7, shared, jax.random.key(0))
    inner = getattr(head, "transform", head)
    for name in ("dense", "out"):  # biases start at 0
        if hasattr(inner, name):
            bias = getattr(inner, name).bias
            bias[...] = random(bias[...].shape, 9)
    return head


def dense(layer, x):
    return x @ np.asarray(layer.kernel[...], np.float64) + np.asarray(layer.bias[...])


X = random((2, 3, 4))


def test_tied_projects_with_the_table():
    table = random((7, 4), 1)
    np.testing.assert_allclose(build(LMHead())(X, table), X @ table.T, rtol=1e-5, atol=1e-5)


def test_untied_scaled_biased_and_capped():
    head = build(LMHead(tied=False, scaled=True, bias=True, soft_cap=2.0))
    head.bias[...] = bias = random((7,), 2)
    logits = (X / 2) @ np.asarray(head.kernel[...]) + bias  # the root of 4
    expected = 2.0 * np.tanh(logits / 2.0)
    np.testing.assert_allclose(head(X, None), expected, rtol=1e-4, atol=1e-5)


def test_transform_comes_first():
    head = build(LMHead(transform=HeadTransform("tanh", LayerNorm(), size=3)))
    table = random((7, 3), 1)
    hidden = np.tanh(dense(head.transform.dense, X))
    normed = hidden - hidden.mean(-1, keepdims=True)
    normed = normed / np.sqrt(hidden.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(head(X, table), normed @ table.T, rtol=1e-3, atol=1e-4)


def test_sequence_classes_and_the_pooled_vector():
    head = build(SequenceClasses(5))
    pooled = np.tanh(dense(head.dense, X[:, 0]))
    np.testing.assert_allclose(head(X[:, 0]), dense(head.out, pooled), rtol=1e-4, atol=1e-5)
    pooler = build(SequenceClasses(None))
    np.testing.assert_allclose(
        pooler(X[:, 0]), np.tanh(dense(pooler.dense, X[:, 0])), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(("position", "rows"), [("first", [0, 0]), ("last", [2, 1])])
def test_sequence_classes_read_one_position(position, rows):
    segments = np.array([[1, 1, 1], [1, 1, 0]])
    gathered = SequenceClasses(2, position=position).gather(X, segments)
    np.testing.assert_array_equal(gathered, X[[0, 1], rows])


def test_token_classes_with_and_without_a_dense_layer():
    plain, deep = build(TokenClasses(5)), build(TokenClasses(1, activation="relu"))
    np.testing.assert_allclose(plain(X), dense(plain.out, X), rtol=1e-4, atol=1e-5)
    hidden = np.maximum(dense(deep.dense, X), 0)
    np.testing.assert_allclose(deep(X), dense(deep.out, hidden), rtol=1e-4, atol=1e-5)
    assert not hasattr(plain, "dense")


def test_spans_are_two_logits_per_token():
    head = build(Spans())
    assert head(X).shape == (2, 3, 2)
    np.testing.assert_allclose(head(X), dense(head.out, X), rtol=1e-4, atol=1e-5)


def test_classifiers_drop_what_they_read_only_with_a_key():
    head = build(TokenClasses(5), rate=0.5)
    np.testing.assert_array_equal(head(X, None), build(TokenClasses(5))(X, None))
    assert not np.array_equal(head(X, jax.random.key(0)), head(X, None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HeadTransform("tahn", LayerNorm()), r"HeadTransform\.activation.*'tanh'"),
        (lambda: HeadTransform("tanh", LayerNorm(), 0), r"HeadTransform\.size must be at least 1"),
        (lambda: SequenceClasses(0), r"SequenceClasses\.num_classes must be at least 1"),
        (lambda: SequenceClasses(2, "x"), r"SequenceClasses\.activation"),
        (lambda: SequenceClasses(2, position="mid"), r"SequenceClasses\.position: .*first, last"),
        (lambda: TokenClasses(0), r"TokenClasses\.num_classes must be at least 1"),
        (lambda: TokenClasses(1, "x"), r"TokenClasses\.activation"),
    ],
)
def test_impossible_settings_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()
