"""What every family is compared by. A family's module lists cases and makes tests of them:

CASES = [Case("t5_relu", T5Config(vocab_size=48, ...), "T5ForConditionalGeneration"), ...]

pytestmark = pytest.mark.parity

@pytest.mark.parametrize("case", CASES, ids=str)
class TestT5(ParityTests):
    pass
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from t2t.interop.folders import open_folder
from t2t.interop.hugging_face import load_hf, save_hf
from tests.interop.computing import output_of
from tests.parity.harness import (
    actual,
    deviation,
    expected,
    imported,
    random_batch,
    real,
    saved,
    target_loss,
    theirs,
)

TOLERANCE = 1e-4


class ParityTests:
    """To be parametrised with `case`."""

    def test_output(self, case):
        mask = real(expected(case)[0].shape, random_batch(case))
        assert np.abs((actual(case)[0] - expected(case)[0]) * mask).max() < TOLERANCE
        assert np.abs(expected(case)[0]).max() > 0.1

    def test_loss(self, case):
        batch = random_batch(case)
        if expected(case)[1] is None:
            pytest.skip("no language model")
        loss = float(target_loss(jnp.asarray(actual(case)[0]), batch, jax.nn.log_softmax))
        assert loss == pytest.approx(expected(case)[1], rel=TOLERANCE)

    def test_gradients(self, case):
        wanted, given = expected(case)[2], actual(case)[1]
        assert given.keys() == wanted.keys()
        deviations = {}
        for path, array in wanted.items():
            pair = (given[path], array)
            layers = zip(*pair, strict=True) if "/layers/" in path else [pair]
            deviations[path] = max(deviation(ours, theirs) for ours, theirs in layers)
        assert {path: d for path, d in deviations.items() if not d < TOLERANCE} == {}

    def test_more_padding_changes_nothing(self, case):
        batch = random_batch(case)
        pad = imported(case).config.tokens.pad or 0
        fill = {"tokens": pad, "weights": 0, "types": 0}
        wider = {
            name: np.pad(array, ((0, 0), (0, 5)), constant_values=fill[name.split("_")[-1]])
            for name, array in batch.items()
        }
        output = np.asarray(output_of(*imported(case)[:2], wider, case.head))
        wanted = actual(case)[0]
        output = output[tuple(slice(size) for size in wanted.shape)]
        mask = real(wanted.shape, batch)
        np.testing.assert_allclose(output * mask, wanted * mask, atol=TOLERANCE)

    def test_packed(self, case):
        if not case.packing:
            pytest.skip("not packed")
        batch = random_batch(case)
        packed = {name: array.reshape(1, -1) for name, array in batch.items()}
        for name in ("encoder", "decoder"):
            if f"{name}_input_tokens" in batch:
                shape = batch[f"{name}_input_tokens"].shape
                segments = np.broadcast_to(np.array([[1], [2]], np.int32), shape)
                key = f"{name}_{'input' if name == 'encoder' else 'target'}_tokens"
                pad = imported(case).config.tokens.pad or 0
                segments = np.where(batch[key] != pad, segments, 0)
                positions = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
                packed[f"{name}_segment_ids"] = segments.reshape(1, -1)
                packed[f"{name}_positions"] = positions.reshape(1, -1)
        output = np.asarray(output_of(*imported(case)[:2], packed, case.head))
        wanted = actual(case)[0]
        mask = real(wanted.shape, batch)
        output = output.reshape(wanted.shape)
        np.testing.assert_allclose(output * mask, wanted * mask, atol=TOLERANCE)

    @pytest.mark.parametrize("max_shard_size", ["5GB", "8KB"])
    def test_round_trip(self, case, tmp_path, max_shard_size):
        model, folder = saved(case)
        config, params, _ = imported(case)
        save_hf(config, params, tmp_path / "exported", max_shard_size=max_shard_size)
        before, after = open_folder(folder), open_folder(tmp_path / "exported")
        assert {n: t.shape for n, t in after.tensors.items()} == {
            n: t.shape for n, t in before.tensors.items()
        }
        for name in before.tensors:
            np.testing.assert_array_equal(after.read(name), before.read(name), err_msg=name)
        again = load_hf(tmp_path / "exported")
        assert dataclasses.replace(again.config, dropout=config.dropout) == config
        loaded, report = type(model).from_pretrained(
            tmp_path / "exported", output_loading_info=True
        )
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        arrays = {name: p.detach().numpy() for name, p in loaded.named_parameters()}
        wanted = {name: p.detach().numpy() for name, p in model.named_parameters()}
        assert arrays.keys() == wanted.keys()
        for name, array in wanted.items():
            np.testing.assert_array_equal(arrays[name], array, err_msg=name)
        with torch.no_grad():
            output = theirs(loaded.eval(), case, random_batch(case)).numpy()
        np.testing.assert_allclose(output, expected(case)[0], atol=1e-5)  # sums in another order
