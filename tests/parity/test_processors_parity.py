"""Processors of logits do what those of transformers do, on random histories."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.history import History
from t2t.decoding.processors.allowed import AllowedTokens, BlockedTokens
from t2t.decoding.processors.lengths import MinLength
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.decoding.processors.warping import MinP, Temperature, TopK, TopP

pytestmark = pytest.mark.parity

torch = pytest.importorskip("torch", exc_type=ImportError)
transformers = pytest.importorskip("transformers", exc_type=ImportError)

ROWS, LENGTH, VOCAB, PROMPT = 4, 14, 4, 2


def cases():
    """Histories without padding, which transformers takes for tokens, of every length."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        column = PROMPT + seed % (LENGTH - PROMPT + 1)
        tokens = rng.integers(0, VOCAB, (ROWS, LENGTH), dtype=np.int32)
        seen = np.broadcast_to(np.arange(LENGTH) < column, (ROWS, LENGTH))
        logits = rng.normal(size=(ROWS, VOCAB)).astype(np.float32)
        yield History(*map(jnp.asarray, (tokens, seen, column, column - PROMPT))), logits


def allow(ids):
    """As transformers has it, a function from a row to what may follow."""
    return transformers.PrefixConstrainedLogitsProcessor(lambda _, __: list(ids), num_beams=1)


def suppress(ids):
    return transformers.SuppressTokensLogitsProcessor(list(ids), device="cpu")


def min_length(n, eos):
    return transformers.MinNewTokensLengthLogitsProcessor(PROMPT, n, eos, device="cpu")


@pytest.mark.parametrize(
    ("ours", "theirs", "arguments"),
    [
        *(
            (RepetitionPenalty, transformers.RepetitionPenaltyLogitsProcessor, (p,))
            for p in (1.3, 0.7)
        ),
        *((NoRepeatNGrams, transformers.NoRepeatNGramLogitsProcessor, (n,)) for n in (1, 2, 3, 4)),
        (AllowedTokens, allow, ((0, 2),)),
        (BlockedTokens, suppress, ((0, 2),)),
        (MinLength, min_length, (5, 1)),
        (Temperature, transformers.TemperatureLogitsWarper, (0.7,)),
        (TopK, transformers.TopKLogitsWarper, (2,)),
        *((TopP, transformers.TopPLogitsWarper, (p,)) for p in (0.4, 0.9)),
        (MinP, transformers.MinPLogitsWarper, (0.3,)),
    ],
)
def test_equals_transformers(ours, theirs, arguments):
    call, reference = jax.jit(ours(*arguments)), theirs(*arguments)
    changed = 0
    for given, logits in cases():
        tokens = torch.from_numpy(np.array(given.tokens[:, : int(given.column)])).long()
        expected = reference(tokens, torch.from_numpy(logits.copy())).numpy()
        np.testing.assert_allclose(call(logits, given), expected, rtol=1e-6)
        changed += (expected != logits).any()
    assert changed > 10
