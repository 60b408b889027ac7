"""A vocabulary of ours as the files that `transformers.AutoTokenizer` loads."""

import base64
import functools
import json
import shutil
from pathlib import Path
from typing import Any

from t2t.data.vocabularies import (
    BertWordPieceVocabulary,
    ByteVocabulary,
    SentencePieceVocabulary,
    TokenizersVocabulary,
    Vocabulary,
    tokenizer_json,
)
from t2t.data.vocabularies.sentence_piece_proto import BYTE, UNIGRAM, holds, new_model
from t2t.errors import UserError

_T5_TOKENS = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}


@functools.singledispatch
def write_tokenizer(vocabulary: Vocabulary, folder: Path) -> None:
    """Writes the files of a vocabulary.

    Raises:
      UserError: if transformers has no tokenizer that does the same.
    """
    raise UserError(
        f"transformers has no tokenizer that is a {type(vocabulary).__name__}. Give the folder of "
        f"one that fits instead, or export without."
    )


@write_tokenizer.register
def _(vocabulary: SentencePieceVocabulary, folder: Path) -> None:
    """`spiece.model`, and what it says as tokenizer.json where it is a unigram model."""
    if vocabulary.normalizer_spec_overrides or not vocabulary.reverse_extra_ids:
        raise UserError(
            "T5Tokenizer of transformers has neither normalizer_spec_overrides nor sentinels that "
            "count upwards (reverse_extra_ids=False), so this vocabulary cannot be exported."
        )
    shutil.copyfile(vocabulary.path, folder / "spiece.model")
    model = new_model()
    model.ParseFromString(vocabulary.path.read_bytes())
    names = [f"<extra_id_{k}>" for k in reversed(range(vocabulary.extra_ids))]
    added = 0 if holds(model, names) else len(names)
    config = {"tokenizer_class": "T5Tokenizer", "extra_ids": added, **_T5_TOKENS}
    _write(folder / "tokenizer_config.json", config | _sentinels(vocabulary))
    if definition := _unigram(model, len(model.pieces) + added - len(names), names):
        _write(folder / "tokenizer.json", definition)


@write_tokenizer.register
def _(vocabulary: ByteVocabulary, folder: Path) -> None:
    """ByT5's; sentinels are listed from the lowest id, which is the last one of ours."""
    config = {"tokenizer_class": "ByT5Tokenizer", "extra_ids": vocabulary.extra_ids, **_T5_TOKENS}
    _write(folder / "tokenizer_config.json", config | _sentinels(vocabulary))


@write_tokenizer.register
def _(vocabulary: TokenizersVocabulary, folder: Path) -> None:
    """The file it was made from."""
    names = {
        i: name for name, i in tokenizer_json.ids(tokenizer_json.read(vocabulary.path)).items()
    }
    _refuse_changes(vocabulary, len(names))
    shutil.copyfile(vocabulary.path, folder / "tokenizer.json")
    ids = {
        "pad_token": vocabulary.pad_id,
        "eos_token": vocabulary.eos_id,
        "unk_token": vocabulary.unk_id,
        "bos_token": vocabulary.bos_id,
        "mask_token": vocabulary.mask_id,
        "cls_token": vocabulary.cls_id,
        "sep_token": vocabulary.sep_id,
    }
    roles = {role: names[i] for role, i in ids.items() if i is not None}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **roles}
    _write(folder / "tokenizer_config.json", config)


@write_tokenizer.register
def _(vocabulary: BertWordPieceVocabulary, folder: Path) -> None:
    """BERT's."""
    pieces = vocabulary.path.read_text(encoding="utf-8").splitlines()
    _refuse_changes(vocabulary, len(pieces))
    shutil.copyfile(vocabulary.path, folder / "vocab.txt")
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": vocabulary.lower_case}
    _write(folder / "tokenizer_config.json", config)


def _refuse_changes(vocabulary: TokenizersVocabulary, own: int) -> None:
    if vocabulary.offset or vocabulary.vocab_size > own:
        raise UserError(
            f"This vocabulary changes '{vocabulary.path}' (offset {vocabulary.offset}, "
            f"{vocabulary.vocab_size - own} ids more), so the file alone does not say what it does."
        )


def _sentinels(vocabulary: Vocabulary) -> dict[str, Any]:
    names = [f"<extra_id_{k}>" for k in reversed(range(vocabulary.extra_ids))]
    return {"additional_special_tokens": names} if names else {}


def _unigram(model: Any, base_size: int, names: list[str]) -> dict[str, Any] | None:
    """The contents of a tokenizer.json; None if the model is of another kind (BPE).

    The sentinels' ids follow those of the first `base_size` pieces.
    """
    if model.trainer_spec.model_type != UNIGRAM:
        return None
    pieces = [[piece.piece, piece.score] for piece in model.pieces[:base_size]]
    special = {piece: i for i, (piece, _) in enumerate(pieces[:3])}
    first = len(pieces)
    special |= {name: first + i for i, name in enumerate(names)}
    chars = model.normalizer_spec.precompiled_charsmap
    normalizer = {
        "type": "Precompiled",
        "precompiled_charsmap": base64.b64encode(chars).decode("ascii"),
    }
    spaces: dict[str, Any] = {
        "type": "Metaspace",
        "replacement": "\u2581",
        "prepend_scheme": "always",
    }
    spaces["split"] = True
    end = pieces[1][0]
    text = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": end, "type_id": 0}}]
    second = [{"Sequence": {"id": "B", "type_id": 0}}, text[1]]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, "special": True, "normalized": False}
            | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
            for name, i in special.items()
        ],
        "normalizer": normalizer if chars else None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, spaces],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": text,
            "pair": text + second,
            "special_tokens": {end: {"id": end, "ids": [1], "tokens": [end]}},
        },
        "decoder": spaces,
        "model": {
            "type": "Unigram",
            "unk_id": 2,
            "vocab": pieces + [[name, 0.0] for name in names],
            "byte_fallback": any(piece.type == BYTE for piece in model.pieces),
        },
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
