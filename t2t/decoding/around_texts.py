"""Special tokens around the texts that a model reads."""

import numpy as np

from t2t.data.features import Feature
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly


def around_text(model: Model, inputs: Feature) -> tuple[np.ndarray, np.ndarray]:
    """int32 tokens before and after a text."""
    vocabulary, before, after = inputs.vocabulary, None, None
    if isinstance(model.config, EncoderOnly | Electra):
        before, after = vocabulary.cls_id, vocabulary.sep_id
    if after is None and inputs.add_eos:
        after = vocabulary.eos_id
    return _tokens(before), _tokens(after)


def _tokens(token: int | None) -> np.ndarray:
    return np.array([] if token is None else [token], np.int32)
