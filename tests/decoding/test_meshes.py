"""Predictions, scores and embeddings on a mesh are those of one device."""

import functools

import jax
import numpy as np
import pytest

from t2t.decoding.beam import Beam
from t2t.decoding.compiled import Compiled
from t2t.decoding.decoding import Decoding
from t2t.decoding.embedder import Embedder
from t2t.decoding.prediction import Throughput
from t2t.decoding.predictor import Predictor
from t2t.decoding.reading import TextReader
from t2t.decoding.scorer import Scorer
from t2t.models.definition import Model
from t2t.training.partitioning import MeshShape, param_shardings, replicated
from tests.decoding.numbers import texts
from tests.decoding.predicting import BOTH, FEATURE, PREFIX_LM, T5, params_of

TEXTS = texts([1, 2, 3, 4, 5, 6, 7, 3, 2])
MESH = MeshShape(2, 2, 2).mesh()


@functools.cache
def on_mesh(config):
    """Parameters as `load_trained` has them."""
    model = Model(config)
    shardings = param_shardings(model.abstract_params, model.logical_axes, MESH)
    return jax.device_put(params_of(config), shardings)


def both(use):
    """What it gives for parameters on one device and on the mesh."""
    return [use(params) for params in (params_of, on_mesh)]


@pytest.mark.parametrize("config", [T5, PREFIX_LM], ids=["t5", "prefix_lm"])
def test_predictions(config):
    decoding = Decoding(Beam(2), max_length=5)

    def predict(params):
        reader = TextReader(config, BOTH, decoding.max_length)
        predictor = Predictor(Model(config), params(config), reader, decoding, batch_size=8)
        return [[said.text for said in record] for record in predictor.predict(TEXTS)]

    alone, shared = both(predict)
    assert shared == alone
    assert len({said[0] for said in alone}) > 3


def test_scores():
    def score(params):
        scorer = Scorer(Model(T5), params(T5), BOTH, batch_size=8)
        records = [{"inputs": x, "targets": y} for x, y in zip(TEXTS, TEXTS[::-1], strict=True)]
        return [scored.score() for scored in scorer.score(records)]

    alone, shared = both(score)
    np.testing.assert_allclose(shared, alone, rtol=1e-5)


def test_embeddings():
    def embed(params):
        embedder = Embedder(Model(T5), params(T5), FEATURE, batch_size=8)
        return np.stack([embedding.vectors for embedding in embedder.embed(TEXTS)])

    alone, shared = both(embed)
    np.testing.assert_allclose(shared, alone, rtol=0, atol=1e-5)


def test_rows_are_shared_among_devices_where_they_divide():
    def function(params, rows, few, number):
        return rows * number, few + 1

    run = Compiled(function, {"w": jax.device_put(1.0, replicated(MESH))}, Throughput())
    rows, few = run(np.ones((8, 3)), np.ones((3, 2)), np.float32(2))
    assert {shard.data.shape for shard in rows.addressable_shards} == {(2, 3)}
    assert {shard.data.shape for shard in few.addressable_shards} == {(3, 2)}
    assert float(rows.sum()) == 48
