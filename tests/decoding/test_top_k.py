import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.sampling import Sampling
from t2t.decoding.top_k import top_k
from tests.decoding.chains import Chain

VOCAB = 1009


def test_the_largest_and_their_places():
    x = np.random.default_rng(0).permutation(60).reshape(3, 20).astype(np.float32)
    values, places = top_k(jnp.asarray(x), 4)
    np.testing.assert_array_equal(values, -np.sort(-x, axis=1)[:, :4])
    np.testing.assert_array_equal(np.take_along_axis(x, np.asarray(places), axis=1), values)


@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("strategy", [Beam(3), Sampling(top_k=5)], ids=["beam", "top_k"])
def test_no_vocabulary_is_sorted(strategy):
    batch = {"decoder_input_tokens": jnp.zeros((2, 1), jnp.int32)}
    decoding, chain = Decoding(strategy, max_length=4), Chain(vocab=VOCAB)
    compiled = jax.jit(lambda batch: generate(chain, batch, decoding)).lower(batch).compile()
    sorts = re.findall(r"\[([\d,]+)\]\{[\d,]*\}\)? sort\(", compiled.as_text())
    assert all(int(size) < VOCAB for sizes in sorts for size in sizes.split(","))
