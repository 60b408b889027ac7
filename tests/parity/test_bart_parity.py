"""BART and mBART equal those of transformers, in float32."""

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
import transformers
from transformers import BartConfig, MBartConfig

from t2t.data.converters import EncDecHeadFeatureConverter
from t2t.interop.folders import open_folder
from t2t.interop.hugging_face import load_hf, save_hf
from t2t.models.definition import Model
from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case, imported, random_batch, random_model, real, saved
from tests.parity.stepping import assert_steps_equal_forward

pytestmark = pytest.mark.parity

SHAPE = {
    "vocab_size": 44,
    "d_model": 16,
    "max_position_embeddings": 20,
    "encoder_layers": 3,
    "encoder_ffn_dim": 24,
    "encoder_attention_heads": 2,
    "decoder_layers": 2,
    "decoder_ffn_dim": 20,
    "decoder_attention_heads": 4,
}
BART, MBART = "BartForConditionalGeneration", "MBartForConditionalGeneration"
PLAIN = Case("bart", BartConfig(**SHAPE), BART)
SCALED = Case(
    "bart_scaled_relu",
    BartConfig(**SHAPE, scale_embedding=True, activation_function="relu"),
    BART,
)
PRE_NORM = Case("mbart", MBartConfig(**SHAPE, scale_embedding=True), MBART)
CASES = [PLAIN, SCALED, PRE_NORM]
FROZEN = [PLAIN]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestBart(ParityTests):
    def test_steps(self, case):
        assert_steps_equal_forward(case)


@pytest.mark.parametrize("name", ["BartModel", "MBartModel"])
def test_models_without_a_head(name, tmp_path):
    config = BartConfig(**SHAPE) if name == "BartModel" else MBartConfig(**SHAPE)
    case = Case(f"{name}_alone", config, name)
    model, folder = saved(case)
    batch = random_batch(case)
    config, params, _ = imported(case)
    save_hf(config, params, tmp_path / "exported")
    exported = transformers.AutoModel.from_pretrained(tmp_path / "exported")
    inputs = torch.from_numpy(batch["encoder_input_tokens"]).long()
    arguments = {
        "input_ids": inputs,
        "attention_mask": (inputs != config.tokens.pad).long(),
        "decoder_input_ids": torch.from_numpy(batch["decoder_input_tokens"]).long(),
    }
    with torch.no_grad():
        expected, again = (m.eval()(**arguments)[0].numpy() for m in (model, exported))
    hidden = np.asarray(Model(config).bind(params).hidden(batch))
    mask = real(hidden.shape, batch)
    np.testing.assert_allclose(hidden * mask, expected * mask, atol=1e-4)
    np.testing.assert_allclose(again, expected, atol=1e-5)
    for key in open_folder(folder).tensors:
        np.testing.assert_array_equal(
            open_folder(tmp_path / "exported").read(f"model.{key}"), open_folder(folder).read(key)
        )


@pytest.mark.parametrize("name", ["BartForSequenceClassification", "BartForQuestionAnswering"])
def test_heads(name, tmp_path):
    model = getattr(transformers, name)(BartConfig(**SHAPE, num_labels=5)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(tmp_path / "theirs")
    config, params, _ = load_hf(tmp_path / "theirs")
    rng, end, rows = np.random.default_rng(0), config.tokens.eos, []
    for size in (7, 12, 4):
        rows.append([0, *rng.integers(3, 44, size), end, *rng.integers(3, 44, 3), end])
    examples = [{"inputs": np.array(row, np.int32)} for row in rows]
    batch = EncDecHeadFeatureConverter(pad_id=config.tokens.pad, bos_id=config.tokens.start)(
        examples, {"inputs": 18}
    )
    ours = np.asarray(Model(config).bind(params).outputs(batch, config.heads[0].name))
    save_hf(config, params, tmp_path / "ours")
    again = getattr(transformers, name).from_pretrained(tmp_path / "ours").eval()
    inputs = torch.from_numpy(batch["encoder_input_tokens"]).long()
    mask = (inputs != config.tokens.pad).long()
    for theirs in (model, again):
        with torch.no_grad():
            output = theirs(input_ids=inputs, attention_mask=mask)
        if name == "BartForSequenceClassification":
            assert ours.shape == (3, 5)
            np.testing.assert_allclose(ours, output.logits.numpy(), atol=1e-4)
        else:
            expected = torch.stack([output.start_logits, output.end_logits], -1).numpy()
            real = mask.numpy()[..., None]
            np.testing.assert_allclose(ours * real, expected * real, atol=1e-4)


def test_bias_of_logits(tmp_path):
    model = random_model(PLAIN)
    model.final_logits_bias.copy_(torch.randn(1, SHAPE["vocab_size"]))
    model.save_pretrained(tmp_path / "theirs")
    config, params, _ = load_hf(tmp_path / "theirs")
    assert config.head.bias
    batch = random_batch(PLAIN)
    difference = Model(config).bind(params)(batch) - Model(imported(PLAIN).config).bind(
        imported(PLAIN).params
    )(batch)
    np.testing.assert_allclose(
        difference, np.broadcast_to(model.final_logits_bias.numpy(), difference.shape), atol=1e-4
    )
    save_hf(config, params, tmp_path / "ours")
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours")
    np.testing.assert_array_equal(again.final_logits_bias, model.final_logits_bias)
