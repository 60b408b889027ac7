"""The peers of generation: the same weights in Hugging Face Transformers and in CTranslate2."""

import json
from pathlib import Path

import numpy as np
from generation_case import Case

from t2t.data.vocabularies import TokenizersVocabulary
from t2t.errors import UserError
from t2t.interop.hugging_face import save_hf
from t2t.models.definition import ModelConfig, Params

try:
    import ctranslate2
    import torch
    import transformers
except ImportError as error:
    raise UserError(
        f"{error.name} is not installed; `pip install 't2t[parity]'` has all peers."
    ) from error


def export(config: ModelConfig, params: Params, folder: Path) -> Path:
    """A folder that both read; its tokenizer has a made-up piece for every id."""
    pieces = [(f"\u2581{i}", -1.0) for i in range(config.vocab_size)]
    pieces[:3] = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces},
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    save_hf(config, params, folder / "hf", TokenizersVocabulary(str(path)))
    return folder / "hf"


class Transformers:
    """`generate` with its cache; calling it gives the tokens of the best sequences."""

    def __init__(self, folder: Path, case: Case, inputs: np.ndarray, threads: int):
        torch.set_num_threads(threads)
        self._model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
        self._inputs = torch.from_numpy(inputs).long()
        self._config = transformers.GenerationConfig(
            num_beams=case.beams,
            max_new_tokens=case.new_tokens,
            min_new_tokens=case.new_tokens,  # so that no row ends before
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
        )

    def __call__(self) -> np.ndarray:
        mask = torch.ones_like(self._inputs)
        output = self._model.generate(
            self._inputs, attention_mask=mask, generation_config=self._config
        )
        return output[:, 1:].numpy()


class CTranslate2:
    """Its translator, in float32."""

    def __init__(self, folder: Path, case: Case, inputs: np.ndarray, threads: int):
        converted = folder.parent / "ctranslate2"
        if not converted.exists():
            ctranslate2.converters.TransformersConverter(str(folder)).convert(str(converted))
        self._translator = ctranslate2.Translator(
            str(converted),
            device="cpu",
            compute_type="float32",
            inter_threads=1,
            intra_threads=threads,
        )
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._pieces = [self._tokenizer.convert_ids_to_tokens(row.tolist()) for row in inputs]
        self._case = case

    def __call__(self) -> np.ndarray:
        outputs = self._translator.translate_batch(
            self._pieces,
            beam_size=self._case.beams,
            min_decoding_length=self._case.new_tokens,
            max_decoding_length=self._case.new_tokens,
        )
        best = [output.hypotheses[0] for output in outputs]
        return np.array([self._tokenizer.convert_tokens_to_ids(pieces) for pieces in best])
