"""Where predictions for evaluation sets come from: text that is generated, or a head."""

from typing import Protocol

from jax.sharding import Mesh

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import SequenceLength
from t2t.data.mixtures import Mixture
from t2t.data.tasks import Task
from t2t.decoding.decoding import Decoding
from t2t.decoding.prediction import Prediction
from t2t.evaluation.generation import Generation, generates
from t2t.evaluation.head_predictions import HeadPredictions
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, ModelConfig, Params
from t2t.training.losses.head_loss import HeadLoss
from t2t.training.losses.training_loss import TrainingLoss


class Predictions(Protocol):
    """Predicts for evaluation sets."""

    def predict(self, params: Params, examples: EvaluationSet, batch_size: int) -> list[Prediction]:
        """The prediction for each example of the set's share, as text."""
        ...


def predicts(model: ModelConfig, loss: TrainingLoss, task: Task) -> bool:
    """Whether a model that was trained by a loss predicts the targets of a task."""
    return isinstance(loss, HeadLoss) or generates(model, task)


def make_predictions(
    model: Model,
    mesh: Mesh,
    loss: TrainingLoss,
    task_or_mixture: Task | Mixture,
    decoding: Decoding,
    sequence_length: SequenceLength,
    rules: AxisRules,
) -> Predictions:
    """What predicts for the tasks; raises UserError if it cannot for such lengths.

    Args:
      model: that predicts.
      mesh: of the devices that share the computation.
      loss: that it was trained by.
      task_or_mixture: as it is, not as prepared by the loss.
      decoding: how to generate, if it does.
      sequence_length: of the examples.
      rules: which axes of the mesh split what.
    """
    if isinstance(loss, HeadLoss):
        rows = loss.rows(model.config, task_or_mixture)
        return HeadPredictions(model, mesh, loss.head.name, rows, rules)
    return Generation(model, mesh, decoding, sequence_length, rules)
