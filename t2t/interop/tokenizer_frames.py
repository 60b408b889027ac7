"""What a tokenizer of Hugging Face puts around a single text, and texts so framed."""

import dataclasses
import json
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

    A decoder alone is a language model: it has targets alone, which are such texts (with a start
    token instead where no tokenizer.json says: our bytes, exported as ByT5's). Those of an
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
    unspoken = unspoken_of(folder, vocabulary)
    inputs = FramedFeature(vocabulary, before=before, after=after, unspoken=unspoken)
    if isinstance(model, DecoderOnly):
        says = (folder / "tokenizer.json").is_file()
        return {"targets": inputs if says else Feature(vocabulary, add_eos=False)}
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


def unspoken_of(folder: Path, vocabulary: Vocabulary) -> Ids:
    """Special tokens of tokenizer.json that are no part of a text, such as codes of languages.

    Left out are the end of sequence, where texts are cut, and what stands in place of text:
    sentinels, [MASK] and the unknown token.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        return ()
    definition = tokenizer_json.read(path)
    ids, names = tokenizer_json.ids(definition), tokenizer_json.special(definition)
    others = {vocabulary.eos_id, vocabulary.mask_id, vocabulary.unk_id}
    found = {ids[name] for name in names} - others
    return tuple(i for i in sorted(found) if vocabulary.sentinel_name(i) is None)


def write_frame(folder: Path, vocabulary: Vocabulary, model: ModelConfig) -> None:
    """Makes a tokenizer.json that puts nothing around texts put there what such a model reads.

    That is the default of its kind: encoders read [CLS] text [SEP], encoders with a decoder text
    and end of sequence, decoders start token and text. What its tasks put there, such as no end of
    sequence (`add_eos=False`), is not known here. Tokens that the vocabulary or the file does not
    have are left out; a tokenizer.json that puts anything there stays as it is.
    """
    path = folder / "tokenizer.json"
    if not path.is_file() or frame_of(folder, vocabulary) != ((), ()):
        return
    before, after = _ids(vocabulary.cls_id), _ids(vocabulary.sep_id)
    if isinstance(model, EncoderDecoder):
        before, after = (), _ids(vocabulary.eos_id)
    elif isinstance(model, DecoderOnly):
        before, after = (model.tokens.start,), ()
    definition = tokenizer_json.read(path)
    names = {i: name for name, i in tokenizer_json.ids(definition).items()}
    used = {names[i]: i for i in (*before, *after) if i in names}

    def special(ids: Ids, type_id: int) -> list[dict[str, Any]]:
        known = [names[i] for i in ids if i in names]
        return [{"SpecialToken": {"id": name, "type_id": type_id}} for name in known]

    def text(which: str, type_id: int) -> list[dict[str, Any]]:
        return [{"Sequence": {"id": which, "type_id": type_id}}, *special(after, type_id)]

    first = [*special(before, 0), *text("A", 0)]
    template = {
        "type": "TemplateProcessing",
        "single": first,
        "pair": first + text("B", 1),
        "special_tokens": {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in used.items()},
    }
    if given := definition.get("post_processor"):  # of offsets alone
        template = {"type": "Sequence", "processors": [given, template]}
    definition["post_processor"] = template
    path.write_text(json.dumps(definition, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
