"""Models of numbers for tests of prediction."""

import functools

from t2t.data.features import Feature
from t2t.decoding.decoding import Decoding
from t2t.decoding.predictor import Predictor
from t2t.decoding.reading import InputLimit, TextReader
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.positions import LearnedPositions, RoPE
from t2t.models.presets import t5
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack

FEATURE = Feature(Numbers())
BOTH = {"inputs": FEATURE, "targets": FEATURE}
T5 = t5(
    vocab_size=VOCAB,
    d_model=8,
    d_ff=8,
    num_heads=2,
    head_dim=4,
    num_encoder_layers=1,
    num_decoder_layers=1,
)
GPT = DecoderOnly(VOCAB, stack(num_layers=1, positions=LearnedPositions(64)))
PREFIX_LM = DecoderOnly(VOCAB, stack(positions=RoPE()), prefix_lm=True)


@functools.cache
def params_of(config):
    drawn = random_params(config)
    if "encoder" in drawn:  # so that what is said depends on the input
        drawn["decoder"]["layers"]["cross_attention"]["out"]["kernel"] *= 6
    return drawn


def make(config=T5, features=BOTH, decoding=None, *, batch_size=4, limit=None):
    decoding = decoding or Decoding(max_length=6)
    reader = TextReader(config, features, decoding.max_length, limit or InputLimit())
    return Predictor(Model(config), params_of(config), reader, decoding, batch_size=batch_size)


def texts_of(predictions):
    """The first prediction of each record."""
    return [found[0].text for found in predictions]
