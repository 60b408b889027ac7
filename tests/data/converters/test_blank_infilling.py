import numpy as np

from t2t.data.converters import BlankInfillingFeatureConverter

LENGTHS = {"inputs": 6, "targets": 6}


def example(*values):
    names = ("inputs", "targets", "loss_weights", "prefix_mask", "positions", "block_positions")
    return {name: np.array(v, np.int32) for name, v in zip(names, values, strict=True)}


GLM = example([5, 9, 7, 1, 6], [0, 0, 0, 6, 2], [0, 0, 0, 1, 1], [1, 1, 1, 0, 0],
              [0, 1, 2, 1, 1], [0, 0, 0, 1, 2])  # fmt: skip


def test_nothing_is_shifted_and_everything_goes_along():
    batch = BlankInfillingFeatureConverter(pack=False)([GLM], LENGTHS)
    assert {name: x.tolist() for name, x in batch.items()} == {
        "decoder_input_tokens": [[5, 9, 7, 1, 6, 0]],
        "decoder_target_tokens": [[0, 0, 0, 6, 2, 0]],
        "decoder_loss_weights": [[0, 0, 0, 1, 1, 0]],
        "decoder_prefix_mask": [[1, 1, 1, 0, 0, 0]],
        "decoder_positions": [[0, 1, 2, 1, 1, 0]],
        "decoder_block_positions": [[0, 0, 0, 1, 2, 0]],
    }


def test_packed_rows_keep_the_positions_of_the_objective():
    short = {name: x[:2] for name, x in GLM.items()}
    lengths = {"inputs": 8, "targets": 8}
    batch = BlankInfillingFeatureConverter(pack=True, pad_id=3)([GLM, short], lengths)
    assert batch["decoder_segment_ids"].tolist() == [[1, 1, 1, 1, 1, 2, 2, 0]]
    assert batch["decoder_positions"].tolist() == [[0, 1, 2, 1, 1, 0, 1, 0]]
    assert batch["decoder_input_tokens"][0, -1] == 3
