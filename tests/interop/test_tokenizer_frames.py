import json

import numpy as np
import pytest
from tokenizers import Tokenizer, processors

from t2t.data.features import Feature, FramedFeature, append_eos_after_trim
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError
from t2t.interop.tokenizer_files import vocabulary_of
from t2t.interop.tokenizer_frames import frame_of, imported_features, unspoken_of, write_frame
from t2t.models.encoder_only import EncoderOnly
from tests.data.vocabularies.tokenizer_files import (
    bert_vocab,
    byte_level_bpe,
    change,
    word_piece,
)
from tests.decoding.numbers import VOCAB, stack
from tests.decoding.predicting import GPT, T5

PAIR = "$A <s> $B"
SPECIAL = [("<s>", 2), ("</s>", 1)]
PROCESSORS = {
    "roberta": (processors.RobertaProcessing(("</s>", 1), ("<s>", 2)), (2,), (1,)),
    "bert": (processors.BertProcessing(("<mask>", 3), ("<s>", 2)), (2,), (3,)),
    "bytes": (processors.ByteLevel(), (), ()),
    "llama": (processors.TemplateProcessing("<s> $A", PAIR, SPECIAL), (2,), ()),
    "t5": (processors.TemplateProcessing("$A </s>", PAIR, SPECIAL), (), (1,)),
    "glm": (processors.TemplateProcessing("<s> </s> $A", PAIR, SPECIAL), (2, 1), ()),
    "mbart": (processors.TemplateProcessing("$A </s> <s>", PAIR, SPECIAL), (), (1, 2)),
    "nested": (
        processors.Sequence(
            [
                processors.ByteLevel(),
                processors.TemplateProcessing("<s> $A </s>", PAIR, SPECIAL),
            ]
        ),
        (2,),
        (1,),
    ),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_what_a_post_processor_adds(name, tmp_path):
    path = byte_level_bpe(tmp_path)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.post_processor, before, after = PROCESSORS[name]
    tokenizer.save(str(path))
    vocabulary = vocabulary_of(tmp_path)
    assert frame_of(tmp_path, vocabulary) == (before, after)
    feature = FramedFeature(vocabulary, before=before, after=after)
    for text in ("the cat sat", ""):
        framed = append_eos_after_trim(vocabulary.encode_array(text), feature, None)
        assert framed.tolist() == tokenizer.encode(text).ids
        assert framed.dtype == np.int32


def test_nothing_is_added_where_nothing_says_so(tmp_path):
    byte_level_bpe(tmp_path)
    vocabulary = vocabulary_of(tmp_path)
    assert frame_of(tmp_path, vocabulary) == ((), ())
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    assert frame_of(tmp_path, vocabulary) == ((), ())


def test_classes_that_frame_without_a_file_that_says_so(tmp_path):
    bert_vocab(tmp_path)
    assert frame_of(tmp_path, vocabulary_of(tmp_path)) == ((2,), (3,))
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"tokenizer_class": "ByT5Tokenizer"}))
    assert frame_of(tmp_path, ByteVocabulary()) == ((), (1,))


@pytest.mark.parametrize(
    ("processor", "message"),
    [
        ({"type": "Wonder"}, "post_processor of type Wonder"),
        ({"type": "RobertaProcessing"}, "post_processor without 'cls'"),
        (
            {"type": "TemplateProcessing", "single": [], "special_tokens": {}},
            "has the text 0 times",
        ),
    ],
)
def test_a_post_processor_that_is_not_known(processor, message, tmp_path):
    path = byte_level_bpe(tmp_path)
    vocabulary = vocabulary_of(tmp_path)
    change(path, post_processor=processor)
    with pytest.raises(UserError, match=message):
        frame_of(tmp_path, vocabulary)


def test_features(tmp_path):
    path = byte_level_bpe(tmp_path)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 2))
    tokenizer.save(str(path))
    assert T5.tokens.start == GPT.tokens.start == 0
    features = imported_features(tmp_path, T5)
    assert [(f.before, f.after) for f in features.values()] == [((2,), (1,))] * 2
    (text,) = imported_features(tmp_path, GPT).values()
    assert (text.before, text.after) == ((2,), (1,))
    tokenizer.post_processor = processors.TemplateProcessing(
        "<pad> $A", PAIR, [("<pad>", 0), *SPECIAL]
    )
    tokenizer.save(str(path))
    features = imported_features(tmp_path, T5)  # outputs begin after the start token
    assert (features["inputs"].before, features["inputs"].after) == ((0,), ())
    assert (features["targets"].before, features["targets"].after) == ((), (1,))
    path.unlink()
    assert imported_features(tmp_path, T5) is None
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"tokenizer_class": "ByT5Tokenizer"}))
    (text,) = imported_features(tmp_path, GPT).values()
    assert (type(text), text.add_eos) == (Feature, False)


def test_special_tokens_that_are_no_text(tmp_path):
    names = ("<pad>", "</s>", "<s>", "<mask>", "<unk>", "fr_XX")
    tokenizer = Tokenizer.from_file(str(byte_level_bpe(tmp_path, names)))
    tokenizer.add_special_tokens(["<extra_id_1>", "<extra_id_0>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"mask_token": "<mask>"}))
    assert unspoken_of(tmp_path, vocabulary_of(tmp_path)) == (0, 2, 5)
    assert imported_features(tmp_path, T5)["targets"].unspoken == (0, 2, 5)


@pytest.mark.parametrize(
    ("model", "make", "before", "after"),
    [
        (T5, byte_level_bpe, (), (1,)),
        (GPT, byte_level_bpe, (0,), ()),
        (EncoderOnly(VOCAB, stack()), word_piece, (2,), (3,)),
    ],
)
@pytest.mark.parametrize("given", [None, processors.ByteLevel()])
def test_exported_tokenizers_put_around_a_text_what_training_does(
    model, make, before, after, given, tmp_path
):
    path = make(tmp_path)
    tokenizer = Tokenizer.from_file(str(path))
    if given:
        tokenizer.post_processor = given
        tokenizer.save(str(path))
    vocabulary = vocabulary_of(tmp_path)
    write_frame(tmp_path, vocabulary, model)
    assert frame_of(tmp_path, vocabulary) == (before, after)
    framed = Tokenizer.from_file(str(path))
    ids = tokenizer.encode("the cat").ids
    assert framed.encode("the cat").ids == [*before, *ids, *after]
    assert framed.encode("the cat", "the cat").ids == [*before, *ids, *after, *ids, *after]
    written = path.read_bytes()
    write_frame(tmp_path, vocabulary, model)  # what is there stays
    assert path.read_bytes() == written
