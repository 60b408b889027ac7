import pytest

from t2t.interop.families.t5 import FAMILY
from t2t.interop.family import HFConfig

SETTINGS = {
    "model_type": "t5",
    "num_heads": 2,
    "d_kv": 4,
    "num_layers": 1,
    "d_model": 8,
    "d_ff": 16,
    "vocab_size": 30,
}


@pytest.mark.parametrize(("written", "expected"), [({}, 1), (7, 7), ([7, 9], 7)])
def test_of_several_tokens_that_end_a_text_the_first_counts(written, expected):
    settings = SETTINGS if written == {} else SETTINGS | {"eos_token_id": written}
    assert FAMILY.from_hf(HFConfig(settings)).tokens.eos == expected
