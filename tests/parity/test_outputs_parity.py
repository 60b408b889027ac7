"""What an imported model says becomes the text that transformers makes of it."""

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from t2t.decoding.reading import TextReader
from t2t.interop.tokenizer_frames import imported_features
from tests.data.vocabularies.tokenizer_files import byte_level_bpe
from tests.decoding.predicting import T5

pytestmark = pytest.mark.parity


def test_codes_of_languages_are_left_out(tmp_path):
    special = ("<pad>", "</s>", "<s>", "<mask>", "en_XX", "fr_XX")
    made = Tokenizer.from_file(str(byte_level_bpe(tmp_path, special)))
    names = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"}
    theirs = PreTrainedTokenizerFast(tokenizer_object=made, **names)
    theirs.save_pretrained(tmp_path)
    features = imported_features(tmp_path, T5)
    draft = TextReader(T5, features, 9).read({"inputs": "the cat"}, "Record 1")
    rng = np.random.default_rng(0)
    for _ in range(300):
        tokens = rng.integers(4, len(theirs), 8)
        tokens[[0, 2, 5]] = 5, 2, 4
        expected = theirs.decode(tokens.tolist(), skip_special_tokens=True)
        assert draft.then(tokens).text == expected
