"""What a tokenizer of Hugging Face puts around a single text, and texts so framed."""

import dataclasses
from pathlib import Path
from typing import Any

from t2t.data.features import Feature, FramedFeature
from t2t.data.vocabularies import BertWordPieceVocabulary, Vocabulary, tokenizer_json
from t2t.errors import UserError
from t2t.interop.tokenizer_files import kind_of, vocabulary_of
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.encoder_decoder import EncoderDecoder

Ids = tuple[int, ...]
# Whose post-processor is their class's own, where tokenizer.json has none.
_ENDED = ("T5Tokenizer", "ByT5Tokenizer")
_SEPARATED = tuple(f"{name}Tokenizer" for name in ("Bert", "Electra", "Albert", "Roberta", "Bart"))


def imported_features(folder: Path, model: ModelConfig) -> dict[str, Feature] | None:
    """The features of an imported model: inputs that are what its tokenizer makes of a text.

    A decoder alone is a language model: it has targets alone, which are such texts. Those of an
    encoder-decoder end with the end of sequence, and begin like inputs, but for the decoder's start
    token.

    Args:
      folder: with the tokenizer's files; None is returned if they are none that we read.
      model: imported.

    Raises:
      UserError: as `vocabulary_of` and `frame_of`.
    """
    vocabulary = vocabulary_of(folder)
    if vocabulary is None:
        return None
    before, after = frame_of(folder, vocabulary)
    inputs = FramedFeature(vocabulary, before=before, after=after)
    if isinstance(model, DecoderOnly):
        return {"targets": inputs}
    if not isinstance(model, EncoderDecoder):
        return {"inputs": inputs, "targets": inputs}
    begins = before[1:] if before[:1] == (model.tokens.start,) else before
    targets = dataclasses.replace(inputs, before=begins, after=_ids(vocabulary.eos_id))
    return {"inputs": inputs, "targets": targets}


def frame_of(folder: Path, vocabulary: Vocabulary) -> tuple[Ids, Ids]:
    """Ids before and after a text, as `tokenizer(text)["input_ids"]` of transformers has them.

    `add_bos_token` and `add_eos_token` of tokenizer_config.json do not count, as in transformers 5,
    which lets the tokenizer.json beside it say.

    Raises:
      UserError: if tokenizer.json says it in a way that is not known here.
    """
    path, kind = folder / "tokenizer.json", kind_of(folder)
    if path.is_file() and (processor := tokenizer_json.read(path).get("post_processor")):
        try:
            return _frame(processor, str(path))
        except (KeyError, TypeError, IndexError) as error:
            raise UserError(f"'{path}' has a post_processor without {error}.") from error
    if kind in _SEPARATED or isinstance(vocabulary, BertWordPieceVocabulary):
        return _ids(vocabulary.cls_id), _ids(vocabulary.sep_id)
    return (), _ids(vocabulary.eos_id) if kind in _ENDED else ()


def _frame(processor: dict[str, Any], where: str) -> tuple[Ids, Ids]:
    kind = processor["type"]
    if kind == "ByteLevel":  # offsets alone
        return (), ()
    if kind in ("RobertaProcessing", "BertProcessing"):
        return (processor["cls"][1],), (processor["sep"][1],)
    if kind == "Sequence":
        before: Ids = ()
        after: Ids = ()
        for part in processor["processors"]:
            outer = _frame(part, where)
            before, after = outer[0] + before, after + outer[1]
        return before, after
    if kind == "TemplateProcessing":
        return _template(processor, where)
    raise UserError(
        f"'{where}' has a post_processor of type {kind}, which says what goes around a text in a "
        f"way that is not supported; only TemplateProcessing, RobertaProcessing, BertProcessing, "
        f"ByteLevel and Sequence are."
    )


def _template(processor: dict[str, Any], where: str) -> tuple[Ids, Ids]:
    """From pieces like {"SpecialToken": {"id": "<s>"}} and {"Sequence": {"id": "A"}}."""
    sides: list[list[int]] = [[]]
    for piece in processor["single"]:
        if "Sequence" in piece:
            sides.append([])
        else:
            token = processor["special_tokens"][piece["SpecialToken"]["id"]]
            sides[-1] += token["ids"]
    if len(sides) != 2:
        raise UserError(
            f"'{where}' has a post_processor whose template has the text {len(sides) - 1} times; "
            f"only once is supported."
        )
    return tuple(sides[0]), tuple(sides[1])


def _ids(token: int | None) -> Ids:
    return () if token is None else (token,)
