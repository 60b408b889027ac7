import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.models.masks import AttentionMask, joined

BATCH, QUERIES, KEYS = 2, 6, 6
SEGMENTS = jnp.array([[1, 1, 2, 2, 2, 0], [1, 2, 2, 3, 0, 0]])
PADDING = jnp.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
PREFIX = jnp.array([[1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 1, 0]], bool)
ALLOWED = jnp.asarray(np.random.default_rng(0).random((BATCH, QUERIES, KEYS)) < 0.5)

MASKS = {
    "nothing": (AttentionMask(), lambda b, q, k: True),
    "causal": (AttentionMask(causal=True), lambda b, q, k: k <= q),
    "padding": (AttentionMask(key_segments=PADDING), lambda b, q, k: PADDING[b, k] > 0),
    "packed": (
        AttentionMask(key_segments=SEGMENTS, query_segments=SEGMENTS),
        lambda b, q, k: SEGMENTS[b, q] == SEGMENTS[b, k] > 0,
    ),
    "prefix": (
        AttentionMask(causal=True, prefix=PREFIX),
        lambda b, q, k: k <= q or (PREFIX[b, q] and PREFIX[b, k]),
    ),
    "packed prefix": (
        AttentionMask(causal=True, prefix=PREFIX, key_segments=SEGMENTS, query_segments=SEGMENTS),
        lambda b, q, k: (
            (k <= q or (PREFIX[b, q] and PREFIX[b, k])) and SEGMENTS[b, q] == SEGMENTS[b, k] > 0
        ),
    ),
    "allowed": (
        AttentionMask(allowed=ALLOWED, key_segments=PADDING),
        lambda b, q, k: ALLOWED[b, q, k] and PADDING[b, k] > 0,
    ),
    "window": (AttentionMask(window=2), lambda b, q, k: abs(q - k) < 2),
    "two-sided window": (AttentionMask(window=(3, 2)), lambda b, q, k: -2 < q - k < 3),
    "causal window": (AttentionMask(causal=True, window=3), lambda b, q, k: 0 <= q - k < 3),
    "local layer": (
        AttentionMask(window=2).for_layer(jnp.array(True)),
        lambda b, q, k: abs(q - k) < 2,
    ),
    "global layer": (
        AttentionMask(causal=True, window=2).for_layer(jnp.array(False)),
        lambda b, q, k: k <= q,
    ),
}


def by_loop(sees, queries=range(QUERIES), keys=KEYS):
    return np.array(
        [[[[bool(sees(b, q, k)) for k in range(keys)] for q in queries]] for b in range(BATCH)]
    )


def dense(mask, queries=QUERIES, keys=KEYS):
    """Broadcast to the batch, as attention does."""
    found = mask.dense(queries, keys)
    found = np.ones((1, 1, queries, keys), bool) if found is None else found
    assert found.dtype == bool
    assert found.shape[1:] == (1, queries, keys)
    return np.broadcast_to(found, (BATCH, 1, queries, keys))


@pytest.mark.parametrize("name", MASKS)
def test_equals_the_condition_in_words(name):
    mask, sees = MASKS[name]
    np.testing.assert_array_equal(dense(mask), by_loop(sees))


@pytest.mark.parametrize("name", MASKS)
def test_materialised_is_the_same_mask(name):
    mask, sees = MASKS[name]
    whole = mask.materialised(QUERIES, KEYS)
    np.testing.assert_array_equal(dense(whole), by_loop(sees))
    assert whole.key_segments is whole.prefix is None
    if mask.local is not None:  # still told for each layer
        other = dataclasses.replace(whole, local=~mask.local)
        expected = dataclasses.replace(mask, local=~mask.local)
        np.testing.assert_array_equal(dense(other), dense(expected))


@pytest.mark.parametrize("name", MASKS)
def test_one_query_at_a_traced_position_sees_its_row_of_the_whole(name):
    mask, _ = MASKS[name]
    whole = dense(mask)

    @jax.jit
    def row(mask, position):
        at = jnp.full((1, 1), position)
        mask = dataclasses.replace(mask, query_positions=at)
        found = mask.dense(1, KEYS)
        return jnp.ones((1, 1, 1, KEYS), bool) if found is None else found

    for position in (0, 3, 5):
        one = slice(position, position + 1)
        rows = {}
        if mask.query_segments is not None:
            rows["query_segments"] = mask.query_segments[:, one]
        if mask.allowed is not None:
            rows["allowed"] = mask.allowed[:, one]
        found = row(dataclasses.replace(mask, **rows), position)
        np.testing.assert_array_equal(np.broadcast_to(found, (BATCH, 1, 1, KEYS)), whole[:, :, one])


def test_every_row_may_stand_at_another_position():
    mask = AttentionMask(causal=True, window=2, query_positions=jnp.array([[1], [4]]))
    found = mask.dense(1, KEYS)
    np.testing.assert_array_equal(
        found[:, 0, 0], np.array([[1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]], bool)
    )


def test_lengths_of_queries_and_keys_may_differ():
    mask = AttentionMask(causal=True, key_segments=PADDING)
    expected = by_loop(lambda b, q, k: k <= q and PADDING[b, k] > 0, range(3))
    np.testing.assert_array_equal(dense(mask, 3), expected)


def test_nothing_to_mask_makes_no_array():
    assert AttentionMask().dense(4, 4) is None
    assert AttentionMask(query_positions=jnp.zeros((1, 4), int)).dense(4, 4) is None


def test_what_all_rows_share_is_computed_once():
    assert AttentionMask(causal=True, window=2).dense(4, 4).shape == (1, 1, 4, 4)


def test_two_sequences_of_keys_keep_their_own_masks():
    own = AttentionMask(causal=True, window=2).for_layer(jnp.array(True))
    encoded = AttentionMask(key_segments=PADDING[:, :4])
    mask = joined(own, encoded, QUERIES, (QUERIES, 4))
    expected = np.concatenate([dense(own), dense(encoded, keys=4)], axis=3)
    np.testing.assert_array_equal(dense(mask, keys=QUERIES + 4), expected)


def test_joined_with_an_unmasked_sequence():
    mask = joined(AttentionMask(causal=True), AttentionMask(), 3, (3, 2))
    assert mask.allowed.shape == (1, 3, 5)
    np.testing.assert_array_equal(mask.allowed[0, :, 3:], np.ones((3, 2), bool))
    np.testing.assert_array_equal(mask.allowed[0, :, :3], np.tril(np.ones((3, 3), bool)))


def test_flags_are_static_and_arrays_are_leaves():
    mask = AttentionMask(causal=True, window=2, key_segments=PADDING, local=jnp.array(True))
    leaves, structure = jax.tree.flatten(mask)
    assert len(leaves) == 2
    rebuilt = jax.tree.unflatten(structure, leaves)
    assert (rebuilt.causal, rebuilt.window) == (True, 2)
