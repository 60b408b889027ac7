"""Checkpoints of every format there has been are read, and trained on from.

The archives are never changed and none is left out: whoever changes what checkpoints hold raises
`manifest.FORMAT` and adds one (`golden_run.py`).
"""

import hashlib
import json
import logging
import tarfile
from pathlib import Path

import jax
import pytest

from t2t.data.registry import TaskRegistry
from t2t.models.definition import Model
from t2t.training.checkpoints import Checkpoints
from t2t.training.initialization import Initialization, ParameterSource
from t2t.training.loop import train
from t2t.training.manifest import FORMAT, damage
from t2t.training.partitioning import MeshShape
from t2t.training.start import abstract_sharded_state
from tests.training import golden_run

FOLDER = Path(__file__).parents[1] / "frozen" / "checkpoints"
SHA256 = {
    1: "eb470abf4d542f4ad94a73293a61f81c723541407e93b5f791ec1e1c47b50728",
    2: "77b1ccbbe664b9ec948f5d8e394951b2beb785acd363e60a7027b77c465ed4bc",
}


@pytest.fixture(autouse=True)
def task():
    golden_run.register()
    yield
    TaskRegistry.remove(golden_run.TASK)


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Folder with a folder for each format."""
    folder = tmp_path_factory.mktemp("formats")
    for version in SHA256:
        with tarfile.open(FOLDER / f"format_{version}.tar.xz") as tar:
            tar.extractall(folder / str(version), filter="data")
    return folder


@pytest.fixture(params=[(v, name) for v in SHA256 for name in golden_run.OPTIMIZERS], ids=str)
def golden(request, archives):
    """Format, name of the optimiser, the run's folder, and what was in it."""
    version, name = request.param
    expected = json.loads((archives / str(version) / "expected.json").read_text())
    return version, name, archives / str(version) / name, expected[name]


def test_every_format_is_kept_as_it_was():
    assert set(SHA256) == set(range(1, FORMAT + 1))
    for version, digest in SHA256.items():
        content = (FOLDER / f"format_{version}.tar.xz").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


def test_what_is_read_is_what_was_written(golden):
    _, name, run, expected = golden
    model, optimizer = Model(golden_run.MODEL), golden_run.OPTIMIZERS[name]
    abstract = abstract_sharded_state(model, optimizer, MeshShape().mesh())
    with Checkpoints(run / "checkpoints") as checkpoints:
        state, data = checkpoints.restore(abstract)
        assert checkpoints.best_step() == expected["step"]
    assert int(state.step) == expected["step"]
    assert data == expected["data"]
    assert golden_run.digests(state.params) == expected["params"]
    assert golden_run.digests(state.opt_state) == expected["opt_state"]


@pytest.mark.parametrize("version", SHA256)
def test_training_goes_on(version, tmp_path, caplog):
    with tarfile.open(FOLDER / f"format_{version}.tar.xz") as tar:
        tar.extractall(tmp_path, filter="data")
    run = tmp_path / "adafactor"
    with caplog.at_level(logging.INFO):
        train(**golden_run.arguments(run, "adafactor", 6))
    assert "resuming from the checkpoint of step 4" in caplog.text
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [line["eval/loss"] for line in lines if "eval/loss" in line]
    assert 0 < losses[-1] < 5.5  # 5.56 at step 4
    manifest = json.loads((run / "checkpoints" / "6" / "manifest.json").read_text())
    assert manifest["format"] == FORMAT


def test_parameters_can_be_taken_for_other_runs(golden):
    _, _, run, expected = golden
    model, replicated = (
        Model(golden_run.MODEL),
        jax.sharding.NamedSharding(MeshShape().mesh(), jax.sharding.PartitionSpec()),
    )
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=replicated),
        model.abstract_params,
    )
    opened = Initialization((ParameterSource(str(run)),)).open(target)
    params = opened.params(lambda: model.init(jax.random.key(0)))
    assert golden_run.digests(params) == expected["params"]


def test_damage_is_noticed_in_every_format(golden):
    folder = golden[2] / "checkpoints" / "4"
    assert damage(folder) is None
    file = next(path for path in folder.rglob("d/*") if path.is_file())
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        assert "does not match its checksum" in damage(folder)
    finally:
        file.write_bytes(before)
