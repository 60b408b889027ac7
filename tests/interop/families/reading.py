"""What tests of families do with a config.json and random parameters."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np

from t2t.interop.families import family_of
from t2t.interop.family import HFConfig
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.interop.writing import write_tensors
from t2t.models.definition import Model
from t2t.models.parameter_paths import flatten, shapes_of, unflatten


def ours(settings):
    """Our configuration of a config.json."""
    return family_of(settings, "config.json").from_hf(HFConfig(settings))


def made(settings):
    """Configuration, parameters by path, and their tensors by name."""
    return _made(json.dumps(settings))


@functools.cache
def _made(text):
    settings = json.loads(text)
    config = ours(settings)
    rng = np.random.default_rng(0)
    shapes = shapes_of(Model(config).abstract_params)
    params = {path: rng.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
    return config, params, write_tensors(family_of(settings, "").table(config), unflatten(params))


def read(settings, tensors):
    """Our configuration and parameters by path, of a config.json and tensors."""
    family, source = family_of(settings, ""), MemorySource(tensors)
    config = family.with_tensors(ours(settings), source)
    params = read_params(family.table(config), source, Model(config).abstract_params)
    return config, flatten(params)


def assert_same(given, expected):
    """Of dicts of arrays."""
    assert given.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(given[name], array, err_msg=name)


def module_of(settings):
    """With the random parameters."""
    config, params, _ = made(settings)
    return Model(config).bind(unflatten({path: jnp.asarray(a) for path, a in params.items()}))


def decoded_by_steps(module, batch):
    """Logits of the tokens of `batch`, read one after the other, stacked on axis 1."""
    tokens, step = batch["decoder_input_tokens"], jax.jit(module.decode_step)
    one, state = module.start({**batch, "decoder_input_tokens": tokens[:, :1]}, tokens.shape[1] - 1)
    logits = [one]
    for i in range(1, tokens.shape[1]):
        one, state = step(tokens[:, i], state)
        logits.append(one)
    return jnp.stack(logits, axis=1)
