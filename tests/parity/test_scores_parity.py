"""Likelihoods and embeddings of texts are those of transformers, which reads one at a time."""

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch

from t2t.data.features import Feature
from t2t.decoding.embedder import Embedder
from t2t.decoding.scorer import Scorer
from t2t.models.definition import Model
from t2t.models.encoder_decoder import EncoderDecoder
from tests.decoding.numbers import Numbers, texts
from tests.parity import test_bart_parity, test_gpt2_parity, test_llama_parity, test_t5_parity
from tests.parity.harness import imported, saved

pytestmark = pytest.mark.parity

CASES = [
    test_t5_parity.CASES[1],
    test_bart_parity.PLAIN,
    test_gpt2_parity.PLAIN,
    test_llama_parity.CASES[0],
]
COUNT = 50
FEATURE = Feature(Numbers(), add_eos=False)


def ids(text):
    """int64 `[1, length]` for PyTorch."""
    return torch.tensor([Numbers().encode(text)])


def their_log_probs(model, start, inputs, targets):
    """Float32 `[targets]`."""
    before = torch.tensor([[start]])
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            decoder = torch.cat([before, ids(targets)], dim=1)
            logits = model(input_ids=ids(inputs), decoder_input_ids=decoder).logits
        else:
            row = torch.cat([before, ids(inputs), ids(targets)], dim=1)
            logits = model(input_ids=row).logits[:, ids(inputs).shape[1] :]
    found = torch.log_softmax(logits[:, :-1], dim=-1)
    return torch.gather(found, 2, ids(targets)[:, :, None])[0, :, 0].numpy()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_log_probabilities(case):
    model = saved(case)[0]
    config, params, _ = imported(case)
    lengths = np.random.default_rng(3).integers(1, 9, (2, COUNT))
    pairs = list(zip(texts(lengths[0], 1), texts(lengths[1], 2), strict=True))
    scorer = Scorer(Model(config), params, {"inputs": FEATURE, "targets": FEATURE}, batch_size=16)
    scored = scorer.score({"inputs": x, "targets": y} for x, y in pairs)
    for one, (inputs, targets) in zip(scored, pairs, strict=True):
        expected = their_log_probs(model, config.tokens.start, inputs, targets)
        np.testing.assert_allclose(one.log_probs, expected, rtol=1e-5, atol=1e-4)


def their_hidden(model, start, text):
    """Float32 `[length, d_model]`."""
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            return model.get_encoder()(input_ids=ids(text)).last_hidden_state[0].numpy()
        row = torch.cat([torch.tensor([[start]]), ids(text)], dim=1)
        return model.base_model(input_ids=row).last_hidden_state[0, 1:].numpy()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_embeddings(case):
    model = saved(case)[0]
    config, params, _ = imported(case)
    given = texts(np.random.default_rng(4).integers(1, 17, COUNT))
    pooling = "mean" if isinstance(config, EncoderDecoder) else "last"
    embedder = Embedder(Model(config), params, FEATURE, pooling, batch_size=16)
    for text, (_, vectors) in zip(given, embedder.embed(given), strict=True):
        hidden = their_hidden(model, config.tokens.start, text)
        expected = hidden.mean(axis=0) if pooling == "mean" else hidden[-1]
        np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-4)
