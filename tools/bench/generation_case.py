"""What is generated, and t2t's way to do it."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.processors.allowed import BlockedTokens
from t2t.models.definition import Model, Params
from t2t.models.encoder_decoder import EncoderDecoder


class Case(NamedTuple):
    """A batch of `rows` inputs, `new_tokens` for each, by greedy decoding if there is one beam."""

    rows: int
    beams: int
    new_tokens: int

    def __str__(self) -> str:
        how = "greedy" if self.beams == 1 else f"beam of {self.beams}"
        return f"{how}, batch {self.rows}"


def random_inputs(config: EncoderDecoder, rows: int, length: int) -> np.ndarray:
    """int32 `[rows, length]`, without padding and end of sequence."""
    return np.random.default_rng(0).integers(3, config.vocab_size, (rows, length), np.int32)


class T2T:
    """`generate`, compiled ahead; calling it gives the tokens of the best sequences."""

    def __init__(self, config: EncoderDecoder, params: Params, case: Case, inputs: np.ndarray):
        tokens = dataclasses.replace(config.tokens, eos=None)  # so that no row ends before
        model = Model(dataclasses.replace(config, tokens=tokens))
        strategy: Any = Greedy()
        if case.beams > 1:
            strategy = Beam(case.beams, length_penalty=LengthPower(1.0), stop="heuristic")
        blocked = BlockedTokens((config.tokens.eos,)) if config.tokens.eos is not None else None
        decoding = Decoding(strategy, case.new_tokens, processors=(blocked,) if blocked else ())
        start = np.full((case.rows, 1), config.tokens.start, np.int32)
        self._arguments = (
            params,
            {"encoder_input_tokens": inputs, "decoder_input_tokens": start},
        )
        function = jax.jit(lambda params, batch: generate(model.bind(params), batch, decoding))
        self._compiled = function.lower(*self._arguments).compile()

    def __call__(self) -> np.ndarray:
        return np.asarray(self._compiled(*self._arguments).tokens[:, 0])
