"""Models with random parameters, computed and compared."""

import functools

import jax
import numpy as np

from t2t.data.converters import EncDecFeatureConverter
from t2t.models.definition import Model
from t2t.models.presets import t5

SIZES = {
    "vocab_size": 40,
    "d_model": 16,
    "d_ff": 24,
    "num_heads": 3,
    "head_dim": 4,  # heads * head_dim != d_model
    "num_encoder_layers": 2,
    "num_decoder_layers": 3,
    "num_buckets": 8,
    "max_distance": 12,
}
V1_0 = t5(**SIZES, activations=("relu",), tied=True)
V1_1 = t5(**SIZES)


def example(inputs_length, targets_length, seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.integers(2, 40, inputs_length, dtype=np.int32),
        "targets": rng.integers(2, 40, targets_length, dtype=np.int32),
    }


def convert(rows, inputs, targets, pack=False):
    """Rows as a batch, without targets, which would change what stands at their padding."""
    converter = EncDecFeatureConverter(pack=pack)
    batch = converter.convert_rows(rows, {"inputs": inputs, "targets": targets})
    return {name: x for name, x in batch.items() if name != "decoder_target_tokens"}


INPUTS, TARGETS = 24, 16
ROWS = [[example(14, 10, 0)], [example(9, 6, 1)]]
BATCH = convert(ROWS, INPUTS, TARGETS)


@functools.cache
def params_of(config):
    """Random matrices of gain one, norms near one, biases large enough to matter."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        noise = rng.normal(size=leaf.shape).astype(np.float32)
        match path[-1].key:
            case "kernel":
                return noise * leaf.shape[-2] ** -0.5
            case "scale":
                return 1 + 0.1 * noise
            case _:
                return noise

    return jax.tree_util.tree_map_with_path(draw, Model(config).abstract_params)


@functools.cache
def forward(config):
    """Jitted `(batch, key) -> logits` with `params_of(config)`."""
    model = Model(config)
    apply = jax.jit(lambda params, batch, key: model.bind(params)(batch, key))
    return lambda batch, key=None: np.asarray(apply(params_of(config), batch, key))


def count(config):
    """Number of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(Model(config).abstract_params))


def shapes_of(config):
    """{"encoder/layers/mlp/wo/kernel": shape}."""
    return {
        "/".join(key.key for key in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(Model(config).abstract_params)
    }


def decoded_step_by_step(config, batch):
    """Logits `[batch, length, vocab]`, computed token by token with a cache."""
    model, params = Model(config), params_of(config)
    tokens = batch["decoder_input_tokens"]
    length = tokens.shape[1]
    prompt = {**batch, "decoder_input_tokens": tokens[:, :1]}
    start = jax.jit(lambda p: model.bind(p).start(prompt, length - 1))
    step = jax.jit(lambda p, t, state: model.bind(p).decode_step(t, state))
    row, state = start(params)
    logits = [np.asarray(row)]
    for position in range(1, length):
        row, state = step(params, tokens[:, position], state)
        logits.append(np.asarray(row))
    assert step._cache_size() == 1
    return np.stack(logits, axis=1)
