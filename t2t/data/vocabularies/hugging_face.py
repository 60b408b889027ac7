"""Any tokenizer that Hugging Face's `tokenizers` library reads from a tokenizer.json."""

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t2t.data.vocabularies import tokenizer_json
from t2t.data.vocabularies.base import Vocabulary, digest
from t2t.data.vocabularies.checks import check_texts
from t2t.data.vocabularies.special_names import special_names
from t2t.errors import UserError


class TokenizersVocabulary(Vocabulary):
    """A tokenizer.json (WordPiece, BPE, Unigram, ...) plus `extra_ids` sentinels.

    Special tokens are found by name, such as "[PAD]" or "</s>"; the end of sequence falls back to
    "[SEP]" and its start to "[CLS]", as BERT uses them. Sentinels are appended, unless the file's
    highest ids are just these sentinels (T5's). Truncation, padding and special tokens that the
    file puts around a text are not used. Padding and the start of sequence vanish on decoding;
    other special tokens are spelled out. The tokenizer is loaded on first use and never pickled.

    Ids are the file's plus `offset`. Arrays are padded with 0, so a file whose id 0 is text (GPT-2)
    needs `offset=1`, and no padding token then.

    Raises UserError, on construction, if the file is missing or no tokenizer.json, it lacks a
    padding or end token, or id 0 is text; on first use, if `tokenizers` is not installed.
    """

    _kind = "tokenizer"
    _padded = True

    def __init__(
        self, tokenizer_file: str, extra_ids: int = 0, offset: int = 0, **special_tokens: str
    ):
        """Makes a vocabulary; the tokenizer is not loaded yet.

        Args:
          tokenizer_file: path of the file.
          extra_ids: number of sentinels.
          offset: added to every id of the file.
          **special_tokens: `pad_token`, `eos_token`, `unk_token`, `bos_token`, `mask_token`,
            `cls_token`, `sep_token`: names, where they are not the usual ones.
        """
        self.path = Path(tokenizer_file).expanduser()
        if not self.path.is_file():
            raise UserError(f"Tokenizer file '{tokenizer_file}' does not exist.")
        if offset < 0:
            raise UserError(f"offset must be 0 or more, got {offset}.")
        self.offset = offset
        definition = self._definition()
        ids = tokenizer_json.ids(definition)
        given = tokenizer_json.unknown(definition) | special_tokens
        has_padding = self._padded and not offset
        required = ("pad_token", "eos_token") if has_padding else ("eos_token",)
        names = special_names(ids, given, required, f"'{self.path}'")
        super().__init__(
            extra_ids, **{role: names[role] for role in ("mask_token", "cls_token", "sep_token")}
        )
        shifted = {role: ids[name] + offset for role, name in names.items() if name is not None}
        if has_padding:
            self.pad_id = shifted["pad_token"]
        self.eos_id = shifted["eos_token"]
        self.unk_id = shifted.get("unk_token")
        self.bos_id = shifted.get("bos_token")
        if has_padding:
            self._check_zero(definition, names)
        self._own_size = max(ids.values()) + 1
        self._has_sentinels = tokenizer_json.has_sentinels(ids, extra_ids, str(self.path))
        roles = (self.pad_id, self.eos_id, self.unk_id, self.bos_id, offset)
        self._digest = digest(self.path.read_bytes() + repr(roles).encode())

    def _definition(self) -> dict[str, Any]:
        """The contents of a tokenizer.json."""
        return tokenizer_json.read(self.path)

    def _check_zero(self, definition: dict, names: dict[str, str | None]) -> None:
        text = tokenizer_json.text_at_zero(definition, set(names.values()))
        if text is not None:
            raise UserError(
                f"Id 0 of '{self.path}' is text, {text!r}, but arrays are padded with 0. Pass "
                f"offset=1, which adds 1 to every id."
            )

    @property
    def base_size(self) -> int:
        return self.offset + self._own_size - (self.extra_ids if self._has_sentinels else 0)

    @property
    def fingerprint(self) -> str:
        return f"{self._kind}:{self._digest}{self._suffix()}"

    @functools.cached_property
    def _tokenizer(self):
        with _lock:
            if self.fingerprint not in _loaded:
                appended = 0 if self._has_sentinels else self.extra_ids
                _loaded[self.fingerprint] = tokenizer_json.load(
                    self._definition(), self._own_size, appended, str(self.path)
                )
            return _loaded[self.fingerprint]

    def token_id(self, name: str) -> int | None:
        found = self._tokenizer.token_to_id(name)
        return None if found is None else found + self.offset

    def encode(self, text: str) -> list[int]:
        return self.encode_array(text).tolist()

    def encode_array(self, text: str) -> np.ndarray:
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """On all cores, unless the environment says TOKENIZERS_PARALLELISM=false."""
        try:
            encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        except TypeError:
            check_texts(texts)
            raise
        return [np.array(encoding.ids, np.int32) + self.offset for encoding in encodings]

    def _decode(self, ids: Sequence[int]) -> str:
        kept = [i - self.offset for i in ids if i not in (self.pad_id, self.bos_id)]
        return self._tokenizer.decode(kept, skip_special_tokens=False)

    def _pieces(self) -> Sequence[str]:
        texts = [""] * self.offset + tokenizer_json.pieces(self._definition())
        for special in (self.pad_id, self.eos_id, self.unk_id, self.bos_id):
            if special is not None and special >= 0:
                texts[special] = ""
        return texts


class UnpaddedTokenizersVocabulary(TokenizersVocabulary):
    """A tokenizer.json without padding, of decoders such as GPT-2 and LLaMA; id 0 may be text.

    To generate with, as it is; arrays of training have padding, for which `TokenizersVocabulary`
    makes room with `offset=1`.
    """

    pad_id = -1
    _padded = False


class BertWordPieceVocabulary(TokenizersVocabulary):
    """BERT's WordPiece from its vocab.txt, one piece a line (Devlin et al., arXiv 1810.04805).

    Ids are lines, counted from 0. Text is cleaned and, with `lower_case`, lower-cased and stripped
    of accents; then split at white space, punctuation and Chinese characters. `lower_case` must be
    what the vocabulary was made with, or capitals are unknown.
    """

    def __init__(
        self, vocab_file: str, extra_ids: int = 0, lower_case: bool = False, **special_tokens: str
    ):
        """As `TokenizersVocabulary`; `vocab_file` is the path of a vocab.txt."""
        self.lower_case = lower_case
        self._kind = "wordpiece-uncased" if lower_case else "wordpiece"
        super().__init__(vocab_file, extra_ids, 0, **special_tokens)

    def _definition(self) -> dict[str, Any]:
        return tokenizer_json.from_bert(self.path, self.lower_case)


_lock = threading.Lock()
_loaded: dict[str, Any] = {}  # tokenizers by fingerprint, shared by all that use the same
