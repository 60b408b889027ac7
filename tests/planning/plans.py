"""Plans of a tiny model on simulated devices, each made once."""

import functools

from t2t.evaluation.policy import EvalPolicy
from t2t.models.config import Compute
from t2t.models.presets import t5
from t2t.planning.plan import plan_of
from t2t.planning.topology import open_topology
from t2t.training import optimizers, schedules
from t2t.training.partitioning import MeshShape

LENGTHS = {"inputs": 32, "targets": 16}
ROWS, LAYERS, WIDTH, HEADS, INNER, HIDDEN, VOCAB = 16, 3, 64, 4, 64, 128, 512


def arguments(remat="none", **changes):
    """Of `train`; no such task is registered."""
    model = t5(
        vocab_size=VOCAB,
        d_model=WIDTH,
        d_ff=HIDDEN,
        num_heads=HEADS,
        head_dim=INNER // HEADS,
        num_encoder_layers=LAYERS,
        num_decoder_layers=LAYERS,
        compute=Compute(remat=remat),
    )
    return {
        "model_dir": "-",
        "mixture": "no_such_task",
        "sequence_length": LENGTHS,
        "model": model,
        "optimizer": optimizers.adamw(schedules.constant_schedule(1e-3)),
        "batch_size": ROWS,
        "total_steps": 1,
        "evaluation": EvalPolicy(batch_size=8),
        **changes,
    }


@functools.cache
def plan(shape=(1, 4, 2), remat=None, decode_batch_size=0):
    """For GPUs, whose programs are compiled for the simulated devices."""
    return plan_of(
        arguments(),
        open_topology("h200:8"),
        mesh=MeshShape(*shape),
        remat=remat,
        decode_batch_size=decode_batch_size,
    )


def with_generation():
    return plan(decode_batch_size=8)
