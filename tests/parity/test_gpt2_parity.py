"""GPT-2 equals that of transformers, in float32."""

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
import transformers
from transformers import GPT2Config

from t2t.interop.folders import open_folder
from t2t.interop.hugging_face import save_hf
from t2t.models.definition import Model
from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case, imported, random_batch, real, saved, untie
from tests.parity.stepping import assert_steps_equal_forward

pytestmark = pytest.mark.parity

SHAPE = {"vocab_size": 44, "n_positions": 20, "n_embd": 16, "n_layer": 3, "n_head": 2}
SHAPE |= {"bos_token_id": 43, "eos_token_id": 43}
GPT2 = "GPT2LMHeadModel"
PLAIN = Case("gpt2", GPT2Config(**SHAPE), GPT2)
UNTIED = Case(
    "gpt2_untied",
    GPT2Config(
        **SHAPE,
        n_inner=24,
        activation_function="relu",
        layer_norm_epsilon=1e-3,
        tie_word_embeddings=False,
        scale_attn_weights=False,
        pad_token_id=0,
    ),
    GPT2,
    untie("lm_head"),
)
CASES = [
    PLAIN,
    UNTIED,
    Case("gpt2_upcast", GPT2Config(**SHAPE, reorder_and_upcast_attn=True), GPT2),
]
FROZEN = [PLAIN]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestGPT2(ParityTests):
    def test_steps(self, case):
        assert_steps_equal_forward(case)


def test_model_without_a_head(tmp_path):
    case = Case("gpt2_model", GPT2Config(**SHAPE), "GPT2Model")
    model, folder = saved(case)
    batch = random_batch(case)
    config, params, _ = imported(case)
    save_hf(config, params, tmp_path / "exported")
    exported = transformers.AutoModel.from_pretrained(tmp_path / "exported")
    tokens = torch.from_numpy(batch["decoder_input_tokens"]).long()
    with torch.no_grad():
        expected, again = (m.eval()(tokens)[0].numpy() for m in (model, exported))
    hidden = np.asarray(Model(config).bind(params).hidden(batch))
    mask = real(hidden.shape, batch)
    np.testing.assert_allclose(hidden * mask, expected * mask, atol=1e-4)
    np.testing.assert_allclose(again, expected, atol=1e-5)
    for key in open_folder(folder).tensors:
        np.testing.assert_array_equal(
            open_folder(tmp_path / "exported").read(f"transformer.{key}"),
            open_folder(folder).read(key),
        )
