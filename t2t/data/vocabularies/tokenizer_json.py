"""What is in a tokenizer.json, the file format of Hugging Face's `tokenizers`."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from t2t.errors import UserError
from t2t.optional import optional_import

Definition = dict[str, Any]


def read(path: Path) -> Definition:
    """Parses a file; raises UserError if it is none."""
    try:
        definition = json.loads(path.read_bytes())
        ids(definition)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "" if path.suffix != ".txt" else " For a vocab.txt use BertWordPieceVocabulary."
        raise UserError(f"'{path}' is not a tokenizer.json ({error!r}).{hint}") from error
    return definition


def from_bert(path: Path, lower_case: bool) -> Definition:
    """What a tokenizer.json would say for BERT's vocab.txt.

    Raises:
      UserError: if the file is no list of pieces.
    """
    try:
        pieces = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not a vocab.txt: {error}.") from error
    vocab: dict[str, int] = {}
    for number, piece in enumerate(pieces):
        if not piece or piece in vocab:
            fault = f"repeats {piece!r}" if piece else "is empty"
            raise UserError(f"{path}, line {number + 1} {fault}; expected one piece a line.")
        vocab[piece] = number
    if "[UNK]" not in vocab:
        raise UserError(f"'{path}' is no vocab.txt of BERT: it has no piece '[UNK]'.")
    special = [name for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if name in vocab]
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": vocab[name], "content": name, "special": True, "normalized": False}
            | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
            for name in special
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }


def ids(definition: Definition) -> dict[str, int]:
    """Ids of all tokens, by name."""
    vocab = definition["model"]["vocab"]
    own = {entry[0]: i for i, entry in enumerate(vocab)} if isinstance(vocab, list) else vocab
    return {**own, **{token["content"]: token["id"] for token in definition["added_tokens"]}}


def special(definition: Definition) -> set[str]:
    """Names of the tokens that the file calls special."""
    return {token["content"] for token in definition["added_tokens"] if token["special"]}


def text_at_zero(definition: Definition, names: Collection[str | None]) -> str | None:
    """The token of id 0, unless the file calls it special or it is one of `names`."""
    no_text = special(definition) | set(names)
    return next((n for n, i in ids(definition).items() if i == 0 and n not in no_text), None)


def unknown(definition: Definition) -> dict[str, str]:
    """`{"unk_token": name}`, if the file says which it is."""
    model = definition["model"]
    if model.get("unk_token"):
        return {"unk_token": model["unk_token"]}
    if isinstance(model["vocab"], list) and model.get("unk_id") is not None:
        return {"unk_token": model["vocab"][model["unk_id"]][0]}
    return {}


def has_sentinels(ids: Mapping[str, int], extra_ids: int, where: str) -> bool:
    """Whether the highest ids are the `extra_ids` sentinels; raises UserError if only some are."""
    last = max(ids.values())
    found = {k: ids[name] for k in range(extra_ids) if (name := f"<extra_id_{k}>") in ids}
    if found and found != {k: last - k for k in range(extra_ids)}:
        raise UserError(
            f"'{where}' has some tokens <extra_id_k>, but they are not its {extra_ids} highest ids "
            f"downwards from <extra_id_0>. Correct extra_ids, or leave them out."
        )
    return bool(found)


def load(definition: Definition, size: int, sentinels: int, where: str):
    """The tokenizer, with `sentinels` sentinels at the ids from `size` up.

    Raises:
      UserError: if the library is not installed, cannot read the definition, or cannot number the
        sentinels so.
    """
    library = optional_import("tokenizers", "This vocabulary", extra="hf")
    try:
        tokenizer = library.Tokenizer.from_str(json.dumps(definition))
    except Exception as error:  # the library raises nothing narrower
        raise UserError(f"'{where}' is not a tokenizer: {error}.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    names = [f"<extra_id_{k}>" for k in reversed(range(sentinels))]
    tokenizer.add_tokens([library.AddedToken(name, normalized=False) for name in names])
    numbers = [tokenizer.token_to_id(name) for name in names]
    if numbers != list(range(size, size + sentinels)):
        raise UserError(
            f"Sentinels cannot be appended to '{where}': its ids are not all from 0 to {size - 1}."
        )
    return tokenizer


def pieces(definition: Definition) -> list[str]:
    """Text by id, with a space first where it begins a word; "" for special tokens.

    Byte-level pieces, "\u2581" and a prefix of continuing pieces ("##") are understood; with any
    other notation each piece counts as the beginning of a word.
    """
    from tokenizers import decoders

    named = ids(definition)
    texts = [""] * (max(named.values()) + 1)
    prefix = definition["model"].get("continuing_subword_prefix") or ""
    byte_level = "ByteLevel" in set(_types(definition))
    marked = any(name.startswith("\u2581") for name in named)
    decode_bytes = decoders.ByteLevel().decode
    for name, i in named.items():
        if byte_level:
            texts[i] = decode_bytes([name])
        elif marked:
            texts[i] = name.replace("\u2581", " ")
        elif prefix and name.startswith(prefix):
            texts[i] = name.removeprefix(prefix)
        else:
            texts[i] = f" {name}"
    for token in definition["added_tokens"]:
        if token["special"]:
            texts[token["id"]] = ""
    return texts


def _types(node: Any) -> Iterator[str]:
    """All values of "type" in pre-tokenizer and decoder."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node["type"]
        for key, value in node.items():
            if key not in ("model", "added_tokens"):
                yield from _types(value)
    elif isinstance(node, list):
        for value in node:
            yield from _types(value)
