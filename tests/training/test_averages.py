from pathlib import Path

import jax
import numpy as np
import pytest

from t2t.models.lora import LoRA, make_model
from t2t.training.averages import restored_average
from t2t.training.checkpoints import Checkpoints
from t2t.training.loop import train
from t2t.training.optimizers import sgd, with_ema
from t2t.training.optimizers.averaging import evaluated_params
from t2t.training.partitioning import MeshShape
from t2t.training.preparation import applied_to
from t2t.training.schedules import constant_schedule
from t2t.training.start import abstract_sharded_state
from t2t.training.trainable import Trainable

RATE = constant_schedule(0.1)
SHORT = {"total_steps": 4, "batch_size": 8}


def largest_difference(one, other):
    return max(
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


@pytest.mark.parametrize(
    ("lora", "trainable"), [(None, Trainable(("encoder/layers/1/.*",))), (LoRA(2, 4.0), None)]
)
def test_a_checkpoint_gives_the_average_that_training_evaluated(experiment, lora, trainable):
    optimizer = with_ema(sgd(RATE), 0.5)
    train(**experiment | SHORT | {"lora": lora, "trainable": trainable, "optimizer": optimizer})
    model, mesh = make_model(experiment["model"], lora), MeshShape(2, 2, 2).mesh()
    optimizer = applied_to(optimizer, trainable, lora)
    rules = MeshShape().rules
    state = abstract_sharded_state(model, optimizer, mesh, rules)
    with Checkpoints(Path(experiment["model_dir"], "checkpoints")) as stored:
        state, _ = stored.restore(state)
        folder = stored.params_folder(4).parent
    found = restored_average(folder, state.params, model, optimizer, mesh, rules)
    assert largest_difference(found, state.params) > 1e-4
    assert (
        largest_difference(found, evaluated_params(state.params, state.opt_state, optimizer)) == 0
    )
    kernel = found["encoder"]["layers"]["mlp"]["wi_0"]["kernel"]
    assert kernel.sharding == state.params["encoder"]["layers"]["mlp"]["wi_0"]["kernel"].sharding
