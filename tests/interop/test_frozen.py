"""Our models equal what those of transformers once computed; see tests/parity/freeze.py."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from t2t.interop.families import express, family_of
from t2t.interop.family import HFConfig
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.interop.writing import write_tensors
from t2t.models.definition import Model
from t2t.models.parameter_paths import flatten
from tests.interop.computing import output_and_gradients

FILES = sorted((Path(__file__).parents[1] / "frozen" / "hugging_face").glob("*.npz"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
TOLERANCE = 1e-4


@functools.cache
def frozen(path):
    with np.load(path) as file:
        return dict(file)


def part(path, prefix):
    arrays = frozen(path).items()
    return {name.removeprefix(prefix): a for name, a in arrays if name.startswith(prefix)}


@functools.cache
def model(path):
    """Family, our configuration, our parameters."""
    settings, source = json.loads(str(frozen(path)["config"])), MemorySource(part(path, "theirs/"))
    family = family_of(settings, path.name)
    config = family.with_tensors(family.from_hf(HFConfig(settings)), source)
    return family, config, read_params(family.table(config), source, Model(config).abstract_params)


@functools.cache
def computed(path):
    _, config, params = model(path)
    return output_and_gradients(config, params, part(path, "batch/"), frozen(path)["weights"])


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    assert np.linalg.norm(actual - expected) <= TOLERANCE * np.linalg.norm(expected)


def test_there_are_files():
    assert FILES


@every_file
def test_output(path):
    arrays = frozen(path)
    real = arrays["weights"] != 0
    assert_close(np.asarray(computed(path)[0]) * real, arrays["output"] * real)


@every_file
def test_gradients(path):
    gradients = flatten(computed(path)[1])
    for name, expected in part(path, "gradients/").items():
        assert_close(np.asarray(gradients[name]), expected)


@every_file
def test_tensors_are_written_as_they_were_read(path):
    family, config, params = model(path)
    written, read = write_tensors(family.table(config), params), part(path, "theirs/")
    assert written.keys() == read.keys()
    for name, array in read.items():
        np.testing.assert_array_equal(written[name], array, err_msg=name)


@every_file
def test_configuration_is_expressed_by_a_family(path):
    _, config, _ = model(path)
    family, settings = express(config)
    assert family.from_hf(HFConfig(settings)) == config
