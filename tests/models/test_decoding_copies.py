import re

import jax
import jax.numpy as jnp
import pytest

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.models.definition import Model
from tests.models.computing import V1_1


@pytest.mark.usefixtures("optimised")
def test_no_token_copies_the_keys_and_values_of_those_before():
    """Else a step would take longer, the more tokens may be generated."""
    new, prompt, model = 36, 1, Model(V1_1)
    batch = {
        "encoder_input_tokens": jnp.ones((3, 7), jnp.int32),
        "decoder_input_tokens": jnp.ones((3, prompt), jnp.int32),
    }
    function = jax.jit(lambda p, b: generate(model.bind(p), b, Decoding(max_length=new)))
    compiled = function.lower(model.abstract_params, batch).compile().as_text()
    size = prompt + new
    kept = rf"= f32\[3,(\d+,{size},\d+|{size},\d+,\d+|\d+,\d+,{size})\]\S* "
    assert re.search(kept, compiled)
    assert not re.search(kept + r"(copy|transpose)\(", compiled)
