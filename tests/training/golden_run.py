"""The run whose checkpoints are kept of every format version, and the tool that makes them.

    python -m tests.training.golden_run tests/frozen/checkpoints/format_N.tar.xz

Run it once per format, with the code that writes that format; never change what is there, nor what
this run is: later versions go on from it. `expected.json` has what the code that wrote it read
back.
"""

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from t2t.data.features import Feature
from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.vocabularies import ByteVocabulary
from t2t.evaluation.policy import EvalPolicy
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.loop import train
from t2t.training.partitioning import MeshShape
from t2t.training.start import abstract_sharded_state

TASK = "golden_copy"
MODEL = t5(
    vocab_size=300,
    d_model=8,
    d_ff=8,
    num_heads=1,
    head_dim=8,
    num_encoder_layers=2,
    num_decoder_layers=1,
)
OPTIMIZERS = {
    "adafactor": optimizers.adafactor(schedules.constant_schedule(1e-2), min_dim_size_to_factor=8),
    "adamw": optimizers.adamw(schedules.constant_schedule(1e-3), weight_decay=0.1, clip_norm=1.0),
}


def register() -> None:
    """Registers the run's task; remove it afterwards."""
    feature = Feature(ByteVocabulary(extra_ids=0))
    words = [f"word{i:02d}" for i in range(48)]
    TaskRegistry.add(
        TASK,
        source=InMemoryDataSource(
            {
                "train": [{"w": w} for w in words[:40]],
                "validation": [{"w": w} for w in words[40:]],
            }
        ),
        preprocessors=[text_to_text("copy: {w}", "{w}")],
        output_features={"inputs": feature, "targets": feature},
    )


def arguments(model_dir: Path, optimizer: str, total_steps: int) -> dict[str, Any]:
    """What `train` is called with."""
    return {
        "model_dir": str(model_dir),
        "mixture": TASK,
        "sequence_length": {"inputs": 24, "targets": 16},
        "model": MODEL,
        "optimizer": OPTIMIZERS[optimizer],
        "batch_size": 8,
        "total_steps": total_steps,
        "log_every": 2,
        "checkpoint": CheckpointPolicy(every=2, keep_latest=1, keep_best=1),
        "evaluation": EvalPolicy(every=2, num_examples=8, batch_size=8),
    }


def digests(tree: Any) -> dict[str, str]:
    """SHA-256 of every leaf's bytes, by path."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): hashlib.sha256(
            np.ascontiguousarray(leaf).tobytes()
        ).hexdigest()
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def main(archive: str) -> None:
    """Trains, and writes the archive."""
    jax.config.update("jax_numpy_rank_promotion", "raise")
    register()
    with tempfile.TemporaryDirectory() as folder:
        expected = {}
        for name, optimizer in OPTIMIZERS.items():
            run = Path(folder) / name
            train(**arguments(run, name, 4))
            abstract = abstract_sharded_state(Model(MODEL), optimizer, MeshShape().mesh())
            with Checkpoints(run / "checkpoints") as checkpoints:
                restored = checkpoints.restore(abstract)
            state, data = restored
            expected[name] = {
                "step": int(state.step),
                "data": data,
                "params": digests(state.params),
                "opt_state": digests(state.opt_state),
            }
        (Path(folder) / "expected.json").write_text(json.dumps(expected, indent=1))
        with tarfile.open(archive, "w:xz") as tar:
            for name in OPTIMIZERS:
                tar.add(Path(folder) / name / "checkpoints", f"{name}/checkpoints")
                tar.add(Path(folder) / name / "model.json", f"{name}/model.json")
            tar.add(Path(folder) / "expected.json", "expected.json")


if __name__ == "__main__":
    main(sys.argv[1])
