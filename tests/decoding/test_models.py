"""Generation by real architectures: what it says of its sequences, one whole pass says, too."""

import functools

import jax
import numpy as np
import pytest

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.sampling import Sampling
from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.positions import RoPE
from t2t.models.presets import t5
from t2t.models.stack import Stack
from tests.decoding.chains import EOS, cut
from tests.models.computing import params_of

VOCAB, ROWS, PROMPT, LENGTH = 20, 6, 5, 7
SEGMENTS = (np.arange(PROMPT)[None] >= np.arange(ROWS)[:, None] % 4).astype(np.int32)


def tokens(length, seed):
    return np.random.default_rng(seed).integers(2, VOCAB, (ROWS, length), dtype=np.int32)


@functools.cache
def case(kind):
    """A model, and a batch with prompts of different lengths."""
    batch = {"decoder_input_tokens": tokens(PROMPT, 1) * SEGMENTS, "decoder_segment_ids": SEGMENTS}
    if kind == "decoder":
        stack = Stack(
            num_layers=2,
            d_model=16,
            attention=Attention(num_heads=4, head_dim=4, num_kv_heads=2),
            feed_forward=FeedForward(20),
            positions=RoPE(),
        )
        return Model(DecoderOnly(VOCAB, stack, LMHead(tied=False))), batch
    config = t5(
        vocab_size=VOCAB,
        d_model=16,
        d_ff=16,
        num_heads=2,
        head_dim=8,
        num_encoder_layers=1,
        num_decoder_layers=2,
    )
    return Model(config), batch | {"encoder_input_tokens": tokens(8, 2)}


@functools.cache
def params(kind):
    """Random, and fond of ending."""
    drawn = params_of(case(kind)[0].config)
    kernel = drawn["lm_head"]["kernel"] * np.where(np.arange(VOCAB) == EOS, 2, 1)[None]
    return drawn | {"lm_head": {"kernel": kernel.astype(np.float32)}}


@functools.cache
def forward(kind):
    model, _ = case(kind)
    return jax.jit(lambda p, batch: model.bind(p)(batch))


def log_probs(kind, sequences):
    """Of int `[rows, max_length]`, by one pass over prompts and sequences: `[rows]`."""
    _, batch = case(kind)
    ended = [len(cut(row)) for row in sequences]
    real = (np.arange(sequences.shape[1])[None] < np.array(ended)[:, None]).astype(np.int32)
    batch = {
        **batch,
        "decoder_input_tokens": np.concatenate([batch["decoder_input_tokens"], sequences], 1),
        "decoder_segment_ids": np.concatenate([SEGMENTS, real], 1),
        "decoder_positions": np.maximum(
            np.concatenate([SEGMENTS, np.ones_like(sequences)], 1).cumsum(axis=1) - 1, 0
        ),
    }
    logits = forward(kind)(params(kind), batch)[:, PROMPT - 1 : -1]
    found = jax.nn.log_softmax(np.asarray(logits))
    found = np.take_along_axis(np.asarray(found), sequences[:, :, None], axis=2)[:, :, 0]
    return (found * real).sum(axis=1)


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize(
    "strategy",
    [
        Sampling(num_samples=3),
        Sampling(num_samples=3, distinct=True),
        Beam(4, 3, length_penalty=LengthPower(0.0)),
    ],
    ids=["sampling", "distinct", "beam"],
)
def test_scores_are_those_of_one_pass_over_the_whole_sequence(kind, strategy):
    model, batch = case(kind)
    decoding = Decoding(strategy, LENGTH)
    jitted = jax.jit(lambda p, b: generate(model.bind(p), b, decoding))
    sequences, scores = map(np.asarray, jitted(params(kind), batch))
    for number in range(3):
        expected = log_probs(kind, sequences[:, number])
        np.testing.assert_allclose(scores[:, number], expected, rtol=1e-4, atol=1e-4)
    distinct = {tuple(row) for row in sequences.reshape(-1, LENGTH)}
    assert len(distinct) > 6
    assert any(EOS in row[:-1] for row in distinct)
