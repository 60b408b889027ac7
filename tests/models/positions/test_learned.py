import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.positions import LearnedPositions, TwoDimensionalPositions
from tests.models.positions.builds import build


def test_each_position_has_its_row_after_the_offset():
    module = build(LearnedPositions(6, offset=2))
    table = np.asarray(module.embedding[...])
    assert table.shape == (8, 8)
    np.testing.assert_array_equal(module.embed(jnp.arange(6)[None]), table[None, 2:])


def test_positions_of_packed_rows_start_over():
    module = build(LearnedPositions(4))
    positions = jnp.array([[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 0, 0]])  # rows longer than the table
    table = np.asarray(module.embedding[...])
    np.testing.assert_array_equal(module.embed(positions), table[np.asarray(positions)])


def test_longer_sequences_are_refused_by_the_name_of_the_setting():
    module = build(LearnedPositions(4, offset=2))
    message = r"LearnedPositions.max_length is 4, but a sequence has 5 positions"
    with pytest.raises(UserError, match=message):
        jax.jit(module.embed)(jnp.arange(5)[None])
    with pytest.raises(UserError, match=message):
        module.check_length(5)
    module.check_length(4)


def test_positions_beyond_the_table_known_only_on_the_device_show():
    embedded = np.asarray(build(LearnedPositions(4)).embed(jnp.array([[3, 4], [0, 1]])))
    np.testing.assert_array_equal(np.isnan(embedded).any(axis=-1), [[False, True], [False, False]])


def test_parameters_have_logical_axes():
    module = build(TwoDimensionalPositions(6, 3))
    for table in (module.embedding, module.block_embedding):
        assert table.get_metadata("out_sharding") == ("positions", "embed")


def test_two_tables_are_added():
    module = build(TwoDimensionalPositions(6, 3))
    text, block = np.asarray(module.embedding[...]), np.asarray(module.block_embedding[...])
    # GLM, figure 2: x1 x2 [M] x4 [M], then the spans x5 x6 and x3.
    positions = np.array([[0, 1, 2, 3, 4, 4, 4, 2]])
    places = np.array([[0, 0, 0, 0, 0, 1, 2, 1]])
    actual = module.embed(jnp.asarray(positions), jnp.asarray(places))
    np.testing.assert_array_equal(actual, text[positions] + block[places])


def test_without_block_positions_all_are_zero():
    module = build(TwoDimensionalPositions(6, 3))
    positions = jnp.arange(6)[None]
    np.testing.assert_array_equal(
        module.embed(positions), module.embed(positions, jnp.zeros((1, 6), jnp.int32))
    )


def test_the_two_tables_start_out_differently():
    module = build(TwoDimensionalPositions(6, 6))
    assert not np.array_equal(module.embedding[...], module.block_embedding[...])


def test_text_longer_than_the_table_is_refused():
    module = build(TwoDimensionalPositions(4, 3))
    with pytest.raises(UserError, match=r"TwoDimensionalPositions.max_length is 4"):
        module.embed(jnp.arange(5)[None])
    # A row with spans is longer than its positions.
    module.embed(jnp.array([[0, 1, 2, 3, 2]]), jnp.array([[0, 0, 0, 0, 1]]))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: LearnedPositions(4, offset=-1), "LearnedPositions.offset"),
        (lambda: TwoDimensionalPositions(0, 3), "TwoDimensionalPositions.max_length"),
        (lambda: TwoDimensionalPositions(3, 0), "TwoDimensionalPositions.max_block_length"),
    ],
)
def test_mistaken_settings_are_named(make, field):
    with pytest.raises(UserError, match=field):
        make()
