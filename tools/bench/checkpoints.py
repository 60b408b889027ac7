"""How long training waits for a checkpoint, and how long it takes to be written.

    python tools/bench/checkpoints.py [--d_model 512] [--saves 5] [--directory /tmp/checkpoints]

A T5 1.1 of 60M parameters by default, with the state of AdamW, so 12 bytes a parameter. The first
save, in which Orbax starts threads, is not counted. Between saves the state is stepped on, as
training would, so that its arrays are new ones.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import jax

from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.partitioning import MeshShape
from t2t.training.start import abstract_sharded_state
from t2t.training.state import init_state


def main() -> None:
    """Measures, and prints one line for each number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d_model", type=int, default=512)
    parser.add_argument("--saves", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="of the disk to write to")
    args = parser.parse_args()
    model = Model(
        t5(
            vocab_size=32128,
            d_model=args.d_model,
            d_ff=1024,
            num_heads=6,
            head_dim=64,
            num_encoder_layers=6,
            num_decoder_layers=5,
        )
    )
    optimizer = optimizers.adamw(schedules.constant_schedule(1e-3))
    state = jax.jit(lambda: init_state(model, optimizer, 0))()
    step_on = jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    blocking, writing, restoring = [], [], []
    with tempfile.TemporaryDirectory(dir=args.directory) as folder:
        with Checkpoints(Path(folder), CheckpointPolicy(keep_latest=1)) as checkpoints:
            for _ in range(args.saves + 1):
                state = jax.block_until_ready(step_on(state))
                start = time.perf_counter()
                blocking.append(checkpoints.save(state, {}))
                checkpoints.wait()
                writing.append(time.perf_counter() - start)
        abstract = abstract_sharded_state(model, optimizer, MeshShape().mesh())
        for _ in range(args.saves):
            with Checkpoints(Path(folder)) as checkpoints:
                start = time.perf_counter()
                jax.block_until_ready(checkpoints.restore(abstract)[0])
                restoring.append(time.perf_counter() - start)
    print(f"{parameters / 1e6:.1f}M parameters, {size / 1e6:.0f} MB of state")
    for name, seconds in {
        "training waits": blocking[1:],
        "until it is complete, with its checksums": writing[1:],
        "verifying and restoring": restoring,
    }.items():
        low, median, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"{name}: {median:.3f} s (median of {len(seconds)}; {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
