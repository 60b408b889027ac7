import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.tokenization import tokenize
from t2t.data.vocabularies import ByteVocabulary, PassThroughVocabulary
from t2t.errors import UserError

LENGTH = {"targets": 4}


@pytest.mark.parametrize("bad", [[3, -1], [3, 384]])
def test_ids_outside_the_vocabulary_are_refused(bad):
    features = {"targets": Feature(ByteVocabulary(extra_ids=125))}
    message = f"'targets' has ids from {min(bad)} to {max(bad)}; its vocabulary has 0 to 383"
    with pytest.raises(UserError, match=message):
        tokenize([{"targets": bad}], features, LENGTH)
    [example] = tokenize([{"targets": [0, 383]}], features, LENGTH)
    assert example["targets"].tolist() == [0, 383]


def test_ids_without_a_vocabulary_are_free():
    features = {"targets": Feature(PassThroughVocabulary(0), add_eos=False)}
    [example] = tokenize([{"targets": np.array([-1, 10**6])}], features, LENGTH)
    assert example["targets"].tolist() == [-1, 10**6]


def test_lists_of_several_lengths_are_refused():
    features = {"targets": Feature(ByteVocabulary())}
    with pytest.raises(UserError, match=r"'targets' holds lists of several lengths; .* rank 1"):
        tokenize([{"targets": [[3], [4, 5]]}], features, LENGTH)
