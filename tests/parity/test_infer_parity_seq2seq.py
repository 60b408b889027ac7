"""Imported encoder-decoders read texts, and generate from them, as in transformers."""

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from tokenizers import Tokenizer, processors
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    GenerationConfig,
    PreTrainedTokenizerFast,
    T5GemmaConfig,
    T5GemmaForConditionalGeneration,
    T5GemmaModuleConfig,
)

from t2t.cli import main
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.trained import load_trained
from tests.data.vocabularies.tokenizer_files import byte_level_bpe

pytestmark = pytest.mark.parity

TEXTS = ["the cats sat", "", "a dog", "on the mat the", "the cat", "is a cat", "dogs"]
NEW = 8
IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}


def bart(vocab_size):
    sizes = {"d_model": 16, "max_position_embeddings": 48}
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in {"layers": 2, "ffn_dim": 24, "attention_heads": 2}.items()
    }
    ids = {**IDS, "decoder_start_token_id": 1, "forced_eos_token_id": 1}
    return BartForConditionalGeneration(BartConfig(vocab_size=vocab_size, **sizes, **sides, **ids))


def t5gemma(vocab_size):
    sizes = {
        "vocab_size": vocab_size,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "sliding_window": 4,
        "max_position_embeddings": 48,
        **IDS,
    }
    sides = {side: T5GemmaModuleConfig(**sizes) for side in ("encoder", "decoder")}
    return T5GemmaForConditionalGeneration(T5GemmaConfig(**sides, vocab_size=vocab_size))


FRAMES = {
    bart: processors.RobertaProcessing(("</s>", 1), ("<s>", 2)),
    t5gemma: processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 2)]),
}
GENERATION = {
    bart: {"decoder_start_token_id": 1, "forced_bos_token_id": 2, "forced_eos_token_id": 1},
    t5gemma: {"suppress_tokens": [5, 7]},
}


def saved(make, folder):
    folder.mkdir()
    made = Tokenizer.from_file(str(byte_level_bpe(folder)))
    made.post_processor = FRAMES[make]
    names = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **names)
    torch.manual_seed(0)
    model = make(len(tokenizer)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn_like(parameter) * _deviation(name))
    settings = {**IDS, **GENERATION[make]}
    model.generation_config = GenerationConfig(**settings)
    often = [row[5] for row in _generated(model, tokenizer, min_length=9)]
    settings["eos_token_id"] = [1, max(set(often), key=often.count)]  # of some outputs
    model.generation_config = GenerationConfig(**settings)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def _deviation(name):
    """So that models say different tokens of different texts."""
    if "embed_positions" in name:
        return 1.0
    return 0.3 if "embed" in name or "shared" in name else 0.5


def _generated(model, tokenizer, **arguments):
    """What is said after the start token, with the end."""
    settings = {"max_new_tokens": NEW, "do_sample": False, "no_repeat_ngram_size": 2, **arguments}
    rows = []
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        row = model.generate(**inputs, **settings)
        rows.append(row[0, 1:].tolist())
    return rows


@pytest.mark.parametrize("make", [bart, t5gemma], ids=lambda make: make.__name__)
def test_texts_are_read_and_answered_as_in_transformers(make, tmp_path, monkeypatch):
    model = saved(make, tmp_path / "hf")
    monkeypatch.chdir(tmp_path)
    assert main(["import", "--from_hf=hf", "--model_dir=run"]) == 0
    trained, theirs = load_trained("run"), AutoTokenizer.from_pretrained("hf")
    reader = trained.reader(NEW)
    for text in TEXTS:
        read = reader.read({"inputs": text}, "Record 1").prompt.encoder.tolist()
        assert read == theirs(text)["input_ids"]
    ends = model.generation_config.eos_token_id
    beam = Beam(3, 1, LengthPower(1.0), "heuristic")
    for strategy, arguments in [(Greedy(), {}), (beam, {"num_beams": 3})]:
        decoding = Decoding(strategy, NEW, processors=(NoRepeatNGrams(2),))
        predictor = trained.predictor(decoding, batch_size=len(TEXTS))
        found = [predictions[0].text for predictions in predictor.predict(TEXTS)]
        said = _generated(model, theirs, **arguments)
        for row, ours in zip(said, found, strict=True):
            kept = [token for token in row if token not in (0, 2)]
            end = next((i for i, token in enumerate(kept) if token in ends), len(kept))
            assert ours == theirs.decode(kept[:end])
        assert len(set(found)) > 3
