"""Batches for heads by hand."""

import dataclasses

import numpy as np
import pytest

from t2t.data.converters import (
    DecoderHeadFeatureConverter,
    EncDecHeadFeatureConverter,
    HeadFeatureConverter,
)
from t2t.errors import UserError


def ints(*values):
    return np.array(values, np.int32)


FIRST = {"inputs": ints(5, 6, 1), "token_types": ints(0, 0, 1)}
SECOND = {"inputs": ints(7, 1), "token_types": ints(0, 0)}
EXAMPLES = [
    {**FIRST, "labels": ints(2), "loss_weights": ints(1)},
    {**SECOND, "labels": ints(3), "loss_weights": ints(0)},
]
LENGTHS = {"inputs": 4, "targets": 1, "pair": 7}
TOKENS = [[5, 6, 1, 9], [7, 1, 9, 9]]


def listed(batch):
    assert all(x.dtype == np.int32 for x in batch.values())
    return {name: x.tolist() for name, x in batch.items()}


def test_an_encoder():
    converter = HeadFeatureConverter(pad_id=9, labels_per_row=1, token_types=True)
    assert listed(converter(EXAMPLES, LENGTHS)) == {
        "encoder_input_tokens": TOKENS,
        "encoder_token_types": [[0, 0, 1, 0], [0, 0, 0, 0]],
        "encoder_labels": [[2], [3]],
        "encoder_loss_weights": [[1], [0]],
    }


def test_a_label_per_token_and_marked_tokens():
    examples = [{**e, "labels": e["inputs"], "loss_weights": e["inputs"] * 0} for e in EXAMPLES]
    batch = HeadFeatureConverter(pad_id=9, mark_tokens=True)(examples, LENGTHS)
    assert listed(batch) == {
        "encoder_input_tokens": TOKENS,
        "encoder_segment_ids": [[1, 1, 1, 0], [1, 1, 0, 0]],
        "encoder_labels": [[5, 6, 1, 0], [7, 1, 0, 0]],
        "encoder_loss_weights": [[0] * 4] * 2,
    }


def test_a_decoder_reads_the_row_as_it_is():
    unlabelled = [{"inputs": e["inputs"]} for e in EXAMPLES]
    batch = DecoderHeadFeatureConverter(pad_id=9, labels_per_row=1)(unlabelled, LENGTHS)
    assert listed(batch) == {"decoder_input_tokens": TOKENS}


def test_an_encoder_decoder_reads_it_twice():
    converter = EncDecHeadFeatureConverter(
        pad_id=9, bos_id=4, labels_per_row=1, token_types=True, mark_tokens=True
    )
    types, real = [[0, 0, 1, 0], [0, 0, 0, 0]], [[1, 1, 1, 0], [1, 1, 0, 0]]
    assert listed(converter(EXAMPLES, LENGTHS)) == {
        "encoder_input_tokens": TOKENS,
        "decoder_input_tokens": [[4, 5, 6, 1], [4, 7, 1, 9]],
        "encoder_token_types": types,
        "decoder_token_types": types,
        "encoder_segment_ids": real,
        "decoder_segment_ids": real,
        "decoder_labels": [[2], [3]],
        "decoder_loss_weights": [[1], [0]],
    }


def test_neither_packing_nor_rows_without_a_length():
    with pytest.raises(UserError, match="not packed"):
        dataclasses.replace(HeadFeatureConverter(), pack=True)
    with pytest.raises(UserError, match=r"need sequence_length\['inputs'\]"):
        HeadFeatureConverter()(EXAMPLES, {"targets": 4})
