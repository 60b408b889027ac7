"""lm-evaluation-harness gets from our models what its own class gets from transformers'."""

import json

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("accelerate", exc_type=ImportError)
pytest.importorskip("lm_eval", exc_type=ImportError)

import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from t2t.cli import main
from t2t.lm_eval.model import T2TLM
from tests.data.vocabularies.tokenizer_files import byte_level_bpe
from tests.lm_eval.tasks_of_harness import write
from tests.parity.test_infer_parity import gpt2, llama

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("default")]

TASKS = ["t2t_choice", "t2t_rolling", "t2t_until"]
PAD, END, START = 0, 1, 2


def t5(vocab_size, end):
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocab_size,
            d_model=16,
            d_kv=8,
            d_ff=24,
            num_layers=2,
            num_heads=2,
            decoder_start_token_id=PAD,
            eos_token_id=end,
            pad_token_id=PAD,
        )
    )


@pytest.mark.parametrize(("make", "frame"), [(gpt2, "$A"), (llama, "<s> $A"), (t5, "$A </s>")])
def test_answers_are_those_of_transformers(make, frame, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hf").mkdir()
    tokenizer = Tokenizer.from_file(str(byte_level_bpe(tmp_path, ("<pad>", "</s>", "<s>"))))
    special = [("<s>", START), ("</s>", END)]
    tokenizer.post_processor = processors.TemplateProcessing(frame, special_tokens=special)
    names = {"bos_token": "<s>"} if "<s>" in frame else {}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", **names
    )
    torch.manual_seed(1)
    model = make(len(fast), END).eval()
    if names:
        model.config.bos_token_id = model.generation_config.bos_token_id = START
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:  # so that it does not say one token again and again
                parameter.mul_(
                    3 if any(x in name for x in ("embed", "wte", "wpe", "shared")) else 15
                )
    model.save_pretrained("hf")
    fast.save_pretrained("hf")
    assert main(["import", "--from_hf=hf", "--model_dir=run"]) == 0

    settings = {"max_length": 24, "batch_size": 2}
    files = write(tmp_path / "tasks", stop='"t", "do"', repeats=9)
    found = [
        simple_evaluate(
            model=lm,
            tasks=TASKS,
            task_manager=TaskManager(include_path=str(files)),
            bootstrap_iters=0,
        )
        for lm in (T2TLM("run", **settings), HFLM("hf", device="cpu", **settings))
    ]
    for task in TASKS:
        ours, theirs = ([sample["resps"] for sample in of["samples"][task]] for of in found)
        assert len({json.dumps(mine) for mine in ours}) > 1
        for mine, other in zip(ours, theirs, strict=True):
            if make is t5 and task == "t2t_until":  # theirs adds the context's length to the limit
                other = [
                    [text[: len(found)]] for (text,), (found,) in zip(other, mine, strict=True)
                ]
            assert _flat(mine) == pytest.approx(_flat(other), rel=1e-4)
        metrics = [
            {k: v for k, v in of["results"][task].items() if isinstance(v, float)} for of in found
        ]
        assert metrics[0] == pytest.approx(metrics[1], rel=1e-4)


def _flat(responses):
    """Numbers, flags and texts in one list; texts as numbers, for `approx` compares no texts."""
    values = [x for (r,) in responses for x in (r if isinstance(r, tuple) else [r])]
    return [y for x in values for y in ([*map(ord, x)] if isinstance(x, str) else [x])]
