"""SentencePiece models, as T5 and its relatives use them."""

import functools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t2t.data.vocabularies.base import Vocabulary, digest
from t2t.data.vocabularies.checks import check_texts
from t2t.data.vocabularies.sentence_piece_proto import USER_DEFINED, holds, new_model
from t2t.errors import UserError, did_you_mean
from t2t.paths import is_remote


class SentencePieceVocabulary(Vocabulary):
    """A SentencePiece model file plus `extra_ids` sentinels, as T5 uses it.

    Sentinels are appended to the model as user-defined pieces, unless its highest pieces are just
    these sentinels (mT5's). `<extra_id_k>` inside a text is recognised, but only at the start of a
    word (`mid<extra_id_0>dle` is ordinary text). The model is loaded on first use, a remote one
    fetched to the cache folder then, and never pickled.

    Raises UserError, on construction, if a local file is missing, and on first use if a remote one
    cannot be fetched or it is not a SentencePiece model with pad 0, eos 1, unk 2 and no bos.
    """

    def __init__(
        self,
        sentencepiece_model_file: str,
        extra_ids: int = 100,
        normalizer_spec_overrides: Mapping[str, Any] | None = None,
        reverse_extra_ids: bool = True,
        **named_tokens: str | None,
    ):
        """Makes a vocabulary; the model is not loaded yet.

        Args:
          sentencepiece_model_file: path of the model, local or remote ("gs://…").
          extra_ids: number of sentinels, those that the model has included.
          normalizer_spec_overrides: fields of SentencePiece's NormalizerSpec to change, such as
            `{"remove_extra_whitespaces": False}`.
          reverse_extra_ids: whether `<extra_id_0>` is the highest id, as in T5, or the lowest one
            after the model's own.
          **named_tokens: `mask_token`, `cls_token`, `sep_token`: pieces or sentinels by name.
        """
        super().__init__(extra_ids, **named_tokens)
        self.reverse_extra_ids = reverse_extra_ids
        self._overrides = tuple(sorted((normalizer_spec_overrides or {}).items()))
        self.file = str(sentencepiece_model_file)
        if not is_remote(self.file):
            model_file(self.file)

    @functools.cached_property
    def path(self) -> Path:
        """The model file, or the local copy of a remote one, which is fetched now."""
        return model_file(self.file)

    @property
    def normalizer_spec_overrides(self) -> dict[str, Any]:
        """As given."""
        return dict(self._overrides)

    @property
    def base_size(self) -> int:
        return self._processor.get_piece_size() - self.extra_ids

    @functools.cached_property
    def fingerprint(self) -> str:
        changes = "".join(f",{name}={value}" for name, value in self._overrides)
        return f"sentencepiece:{self._digest}{changes}{self._suffix()}"

    @functools.cached_property
    def _digest(self) -> str:
        return digest(self.path.read_bytes())

    @functools.cached_property
    def _processor(self):
        with _load_lock:  # lru_cache alone would let two threads load the same file
            return _load(
                str(self.path),
                self._digest,
                self.extra_ids,
                self.reverse_extra_ids,
                self._overrides,
            )

    @property
    def _settings(self) -> tuple:
        """All that was given but the file."""
        return self.extra_ids, self.reverse_extra_ids, self._overrides, *self._named.items()

    def __eq__(self, other: object) -> bool:
        """Whether the maps are the same; models of one file need not be loaded to be so."""
        if isinstance(other, SentencePieceVocabulary):
            if self._settings != other._settings:
                return False
            if self.file == other.file:
                return True
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash((SentencePieceVocabulary, self._settings))  # not of the file: copies are equal

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.file}'{self._suffix()})"

    def token_id(self, name: str) -> int | None:
        found = self._processor.piece_to_id(name)
        is_piece = found != self.unk_id or name == self._processor.id_to_piece(found)
        return found if is_piece else super().token_id(name)

    def encode(self, text: str) -> list[int]:
        return self._encode(text, int)

    def encode_array(self, text: str) -> np.ndarray:
        return self._encode(text, "numpy").copy()

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        # The library's arrays cannot be written to, and some preprocessor may want to.
        return [ids.copy() for ids in self._encode(list(texts), "numpy")]

    def _encode(self, text: str | list[str], return_type: Any) -> Any:
        try:
            return self._processor.encode(text, return_type=return_type, num_threads=1)
        except (TypeError, RuntimeError):
            check_texts(text if isinstance(text, list) else [text])
            raise

    def _decode(self, ids: Sequence[int]) -> str:
        return self._processor.decode([i for i in ids if i != self.pad_id])

    def _pieces(self) -> Sequence[str]:
        processor = self._processor
        return [_text(processor, i) for i in range(self.base_size)]


def model_file(file: str) -> Path:
    """The path of a model, or of the local copy of a remote one.

    Raises:
      UserError: if there is none, or it cannot be fetched.
    """
    if is_remote(file):
        from t2t.data.sources.remote_files import fetched_files  # which imports fsspec: 0.1 s

        [copy] = fetched_files(file, "SentencePiece model")
        return copy
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(
            f"SentencePiece model '{file}' does not exist. Train one with `python "
            f"tools/train_sentencepiece.py --help`, or correct the path."
        )
    return path


def _text(processor: Any, token: int) -> str:
    if processor.is_control(token) or processor.is_unknown(token):
        return ""
    piece = processor.id_to_piece(token)
    if processor.is_byte(token):  # "<0x2E>"
        return bytes([int(piece[3:5], 16)]).decode("ascii", errors="replace")
    return piece.replace("\u2581", " ")


_load_lock = threading.Lock()


@functools.lru_cache(maxsize=8)
def _load(path: str, content: str, extra_ids: int, reverse: bool, overrides: tuple):
    del content  # part of the cache's key: the file may be trained again
    import sentencepiece

    model = new_model()
    try:
        model.ParseFromString(Path(path).read_bytes())
        if not model.pieces:
            raise ValueError("no pieces")
    except Exception as error:  # protobuf raises its own, version-dependent classes
        raise UserError(f"'{path}' is not a SentencePiece model ({error}).") from error
    spec = model.trainer_spec
    ids = (spec.pad_id, spec.eos_id, spec.unk_id, spec.bos_id)
    if ids != (0, 1, 2, -1):
        raise UserError(
            f"SentencePiece model '{path}' has pad, eos, unk, bos ids {ids}; t2t needs (0, 1, 2, "
            f"-1). Train with --pad_id=0 --eos_id=1 --unk_id=2 --bos_id=-1, as "
            f"tools/train_sentencepiece.py does."
        )
    for name, value in overrides:
        _override(model.normalizer_spec, name, value)
    sentinels = [f"<extra_id_{k}>" for k in range(extra_ids)]
    if reverse:
        sentinels.reverse()
    if not holds(model, sentinels):
        for name in sentinels:
            piece = model.pieces.add()
            piece.piece = f"\u2581{name}"
            piece.score = 0.0
            piece.type = USER_DEFINED
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def _override(spec: Any, name: str, value: Any) -> None:
    known = [field.name for field in spec.DESCRIPTOR.fields]
    if name not in known:
        raise UserError(
            f"normalizer_spec_overrides: NormalizerSpec has no field '{name}', only "
            f"{', '.join(known)}.{did_you_mean(name, known)}"
        )
    try:
        setattr(spec, name, value)
    except TypeError as error:
        raise UserError(f"normalizer_spec_overrides: {name}={value!r}: {error}.") from error
