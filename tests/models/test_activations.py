import math

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.activations import ACTIVATIONS, check_activation

# Independent of jax.nn.
BY_HAND = {
    "relu": lambda x: max(x, 0.0),
    "relu_squared": lambda x: max(x, 0.0) ** 2,
    "gelu_exact": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: (
        0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "linear": lambda x: x,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equals_the_formula(name):
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    expected = [BY_HAND[name](float(value)) for value in x]
    np.testing.assert_allclose(ACTIVATIONS[name](x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gelu", "may be 'gelu_tanh' .* or 'gelu_exact'"),
        ("liner", "Did you mean 'linear'"),
        ("xyz", "none of " + ", ".join(ACTIVATIONS)),
    ],
)
def test_other_names_are_errors(name, message):
    with pytest.raises(UserError, match=f"^Where: .*{message}"):
        check_activation("Where", name)
