"""Names of activations: theirs <-> ours."""

OURS = {
    "relu": "relu",
    "relu2": "relu_squared",
    "gelu": "gelu_exact",
    "gelu_python": "gelu_exact",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
    "linear": "linear",
}
"""Ours by theirs."""

THEIRS = {
    "relu": "relu",
    "relu_squared": "relu2",
    "gelu_exact": "gelu",
    "gelu_tanh": "gelu_new",
    "silu": "silu",
    "tanh": "tanh",
    "linear": "linear",
}
"""Theirs by ours."""
