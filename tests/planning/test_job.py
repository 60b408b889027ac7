"""A job told from its arguments has the batches that training would get."""

import numpy as np
import pytest

from t2t.data.pipeline import TrainPipeline
from t2t.data.registry import get_mixture_or_task
from t2t.errors import UserError
from t2t.planning.job import job_of
from t2t.training.losses.language_modeling import Loss
from t2t.training.partitioning import MeshShape
from t2t.training.trainable import Trainable
from tests.planning.plans import arguments
from tests.training.conftest import experiment as experiment


@pytest.mark.parametrize("pack", [True, False])
def test_batches_are_those_of_the_pipeline(experiment, pack):
    task, lengths = get_mixture_or_task("tiny"), experiment["sequence_length"]
    converter = Loss().converter(experiment["model"], task, pack)
    batch, _ = next(TrainPipeline(task, lengths, 8, converter=converter).batches())
    job = job_of({**experiment, "pack": pack})
    assert {name: (8, *shape) for name, shape in job.row.items()} == {
        name: array.shape for name, array in batch.items()
    }
    assert {array.dtype for array in batch.values()} == {np.dtype(np.int32)}
    assert job.num_tasks == 2
    assert job.row_lengths == lengths


def test_a_mixture_that_is_not_there_is_a_task():
    job = job_of(arguments())
    assert job.num_tasks == 1
    assert job.lengths == (32, 16)
    assert "encoder_segment_ids" in job.row


def test_settings_can_be_replaced():
    mesh = MeshShape(2, 4)
    job = job_of(arguments(), mesh=mesh, remat="full", batch_size=24, microbatches=3)
    assert (job.mesh, job.batch_size, job.microbatches) == (mesh, 24, 3)
    assert job.model.config.compute.remat == "full"


def test_bad_patterns_are_refused():
    with pytest.raises(UserError, match=r"Trainable\.include"):
        job_of(arguments(trainable=Trainable(("nonsense",))))
