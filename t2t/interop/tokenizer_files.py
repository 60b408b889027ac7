"""A tokenizer's files: which there are, how many tokens they have, which vocabulary reads them."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from t2t.data.vocabularies import (
    BertWordPieceVocabulary,
    ByteVocabulary,
    SentencePieceVocabulary,
    TokenizersVocabulary,
    UnpaddedTokenizersVocabulary,
    Vocabulary,
    tokenizer_json,
)
from t2t.data.vocabularies.special_names import USUAL_NAMES
from t2t.errors import UserError

NAMES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
)
_ROLES = (
    "pad_token",
    "eos_token",
    "unk_token",
    "bos_token",
    "mask_token",
    "cls_token",
    "sep_token",
)
_T5_SENTINELS = 100  # what T5Tokenizer adds unless its configuration says otherwise
_BYT5_SENTINELS = 125


def find(folder: Path) -> tuple[Path, ...]:
    """Those of `NAMES` that a folder has."""
    return tuple(folder / name for name in NAMES if (folder / name).is_file())


def copy(source: Path, target: Path) -> None:
    """Copies them; raises UserError if there are none."""
    files = find(source)
    if not files:
        raise UserError(f"'{source}' has no tokenizer: none of {', '.join(NAMES)}.")
    for file in files:
        shutil.copyfile(file, target / file.name)


def check_size(folder: Path, vocab_size: int) -> None:
    """Raises UserError if the folder's tokenizer has more ids than the model has rows for."""
    size = _size(folder)
    if size > vocab_size:
        raise UserError(
            f"The tokenizer in '{folder}' has {size} tokens, but the model's vocab_size is "
            f"{vocab_size}: it has no embedding for the last {size - vocab_size}."
        )


def vocabulary_of(folder: Path) -> Vocabulary | None:
    """The vocabulary that reads a folder's tokenizer; None if it has none that we read.

    Raises:
      UserError: if a file is none of its kind, or its ids are none that our vocabularies can have.
    """
    config = json_object(folder / "tokenizer_config.json")
    kind = kind_of(folder)
    if kind == "ByT5Tokenizer":
        return ByteVocabulary(config.get("extra_ids") or _BYT5_SENTINELS)
    if kind == "T5Tokenizer" and (spiece := folder / "spiece.model").is_file():
        return SentencePieceVocabulary(str(spiece), config.get("extra_ids", _T5_SENTINELS))
    if (path := folder / "tokenizer.json").is_file():
        definition = tokenizer_json.read(path)
        ids = tokenizer_json.ids(definition)
        sentinels = sum(re.fullmatch(r"<extra_id_\d+>", name) is not None for name in ids)
        roles = {role: _name(config.get(role)) for role in _ROLES}
        named = {role: name for role, name in roles.items() if name in ids}
        padding = {named.get("pad_token"), *USUAL_NAMES["pad_token"]} & set(ids)
        text = tokenizer_json.text_at_zero(definition, {*named.values(), *padding})
        padded = padding and text is None
        made = TokenizersVocabulary if padded else UnpaddedTokenizersVocabulary
        return made(str(path), sentinels, 0, **named)
    if (path := folder / "vocab.txt").is_file():
        return BertWordPieceVocabulary(str(path), lower_case=config.get("do_lower_case", True))
    return None


def kind_of(folder: Path) -> str:
    """The tokenizer's class, without "Fast"; "" if nothing says."""
    config = json_object(folder / "tokenizer_config.json")
    return str(config.get("tokenizer_class", "")).removesuffix("Fast")


def _size(folder: Path) -> int:
    """One more than the highest id; 0 if no file says."""
    if (path := folder / "tokenizer.json").is_file():
        return max(tokenizer_json.ids(tokenizer_json.read(path)).values(), default=-1) + 1
    config = json_object(folder / "tokenizer_config.json")
    added = max(json_object(folder / "added_tokens.json").values(), default=-1) + 1
    if (path := folder / "vocab.txt").is_file():
        return max(len(path.read_text(encoding="utf-8").splitlines()), added)
    if (path := folder / "vocab.json").is_file():
        return max(max(json_object(path).values(), default=-1) + 1, added)
    if kind_of(folder) == "T5Tokenizer" and (path := folder / "spiece.model").is_file():
        return SentencePieceVocabulary(str(path), config.get("extra_ids", _T5_SENTINELS)).vocab_size
    if kind_of(folder) == "ByT5Tokenizer":
        return ByteVocabulary(config.get("extra_ids") or _BYT5_SENTINELS).vocab_size
    return added


def _name(token: Any) -> str:
    """A token is written as its name, or as an object with its content."""
    return str(token.get("content", "") if isinstance(token, dict) else token)


def json_object(path: Path) -> dict[str, Any]:
    """An object in a file, {} if there is no file; raises UserError if it holds something else."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"'{path}' is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is no JSON object.")
    return content
