"""An imported decoder and its tokenizer go on from texts as in transformers."""

import json

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertTokenizer,
    ElectraConfig,
    ElectraForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from t2t.cli import main
from t2t.decoding.decoding import Decoding
from t2t.trained import load_trained
from tests.data.vocabularies.tokenizer_files import BERT_PIECES, bert_vocab, byte_level_bpe

pytestmark = pytest.mark.parity

TEXTS = [
    "the cats sat",
    "",
    "a dog",
    "on the mat the",
    "the cat",
    "is a cat",
    "dogs",
    "sat on a mat",
]
LENGTH = 8
BRACKETS = str.maketrans("", "", "[]")


def gpt2(vocab_size, end):
    ids = {"bos_token_id": end, "eos_token_id": end}
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=vocab_size, n_positions=48, n_embd=16, n_layer=2, n_head=2, **ids)
    )


def llama(vocab_size, end):
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocab_size,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=48,
            bos_token_id=end,
            eos_token_id=end,
        )
    )


def test_masks_are_filled_as_in_transformers(tmp_path, monkeypatch, capsys):
    (tmp_path / "hf").mkdir()
    bert_vocab(tmp_path / "hf")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "max_position_embeddings": 32}
    model = BertForMaskedLM(
        BertConfig(vocab_size=len(BERT_PIECES), num_hidden_layers=2, num_attention_heads=2, **sizes)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(10)
        model.cls.predictions.bias[:5] = -100  # special tokens
    model.save_pretrained(tmp_path / "hf")
    tokenizer = BertTokenizer(str(tmp_path / "hf" / "vocab.txt"))
    monkeypatch.chdir(tmp_path)
    assert main(["import", "--from_hf=hf", "--model_dir=run"]) == 0
    texts = ["the [MASK] sat", "[MASK] [MASK]", "[MASK]", "the [MASK] the cat [MASK] the"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"inputs": t}) + "\n" for t in texts))
    capsys.readouterr()
    assert main(["infer", "--model_dir=run", "--input=in.jsonl"]) == 0
    for text, line in zip(texts, capsys.readouterr().out.splitlines(), strict=True):
        encoded = tokenizer(text, return_tensors="pt")
        best = model(**encoded).logits[0].argmax(-1)
        masked = encoded["input_ids"][0] == tokenizer.mask_token_id
        fills = tokenizer.convert_ids_to_tokens(best[masked].tolist())
        assert json.loads(line)["fills"] == fills
    assert main(["infer", "--model_dir=run", "--input=in.jsonl", "--beams=2"]) == 1
    assert "generates no text" in " ".join(capsys.readouterr().err.split())


def test_replaced_tokens_are_found_as_in_transformers(tmp_path, monkeypatch, capsys):
    (tmp_path / "hf").mkdir()
    bert_vocab(tmp_path / "hf")
    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "max_position_embeddings": 32}
    model = ElectraForPreTraining(
        ElectraConfig(
            vocab_size=len(BERT_PIECES),
            embedding_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            **sizes,
        )
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(10)
    model.save_pretrained(tmp_path / "hf")
    tokenizer = BertTokenizer(str(tmp_path / "hf" / "vocab.txt"))
    monkeypatch.chdir(tmp_path)
    assert main(["import", "--from_hf=hf", "--model_dir=run"]) == 0
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"inputs": t}) + "\n" for t in TEXTS))
    capsys.readouterr()
    assert main(["infer", "--model_dir=run", "--input=in.jsonl"]) == 0
    seen = 0
    for text, line in zip(TEXTS, capsys.readouterr().out.splitlines(), strict=True):
        encoded = tokenizer(text, return_tensors="pt")
        likely = torch.sigmoid(model(**encoded).logits)[0, 1:-1].tolist()
        found = json.loads(line)
        expected = [p for p in likely if p > 0.5]
        assert [p for _, p in found["replaced"]] == pytest.approx(expected, abs=1e-4)
        read = tokenizer.decode(encoded["input_ids"][0, 1:-1])
        assert found["prediction"].translate(BRACKETS) == read.translate(BRACKETS)
        seen += len(expected)
    assert 0 < seen < sum(len(text.split()) for text in TEXTS)
    (tmp_path / "in.jsonl").write_text('{"inputs": "the [MASK]"}\n')
    assert main(["infer", "--model_dir=run", "--input=in.jsonl"]) == 1
    assert "without the generator" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("make", [gpt2, llama])
def test_texts_go_on_as_in_transformers(make, tmp_path, monkeypatch):
    (tmp_path / "hf").mkdir()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(byte_level_bpe(tmp_path, special_tokens=())), eos_token="the"
    )
    torch.manual_seed(0)
    model = make(len(tokenizer), tokenizer.eos_token_id).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:  # so that it does not say one token again and again
                parameter.mul_(3 if "embed" in name or "wte" in name or "wpe" in name else 25)
    model.save_pretrained(tmp_path / "hf")
    tokenizer.save_pretrained(tmp_path / "hf")
    monkeypatch.chdir(tmp_path)
    assert main(["import", "--from_hf=hf", "--model_dir=run"]) == 0
    predictor = load_trained("run").predictor(Decoding(max_length=LENGTH), batch_size=4)
    found = [predictions[0].text for predictions in predictor.predict(TEXTS)]
    theirs = AutoTokenizer.from_pretrained("hf")
    for text, ours in zip(TEXTS, found, strict=True):
        prompt = theirs(text)["input_ids"] or [theirs.eos_token_id]
        generated = model.generate(
            torch.tensor([prompt]), max_new_tokens=LENGTH, do_sample=False, pad_token_id=0
        )[0, len(prompt) :].tolist()
        if theirs.eos_token_id in generated:
            generated = generated[: generated.index(theirs.eos_token_id)]
        assert ours == theirs.decode(generated)
    assert len(set(found)) > 4
