"""What a head says of the examples of evaluation sets, as text."""

import jax
from jax.sharding import Mesh

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.heads import HeadRows
from t2t.decoding.prediction import Prediction
from t2t.models.activation_sharding import on_mesh
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, Params
from t2t.training.host_rows import HostRows
from t2t.training.partitioning import replicated


class HeadPredictions:
    """Predicts for evaluation sets, with one compilation.

    Args:
      model: with the head.
      mesh: of the devices that share the computation.
      head: its name.
      rows: that the examples were made by.
      rules: which axes of the mesh split what.
    """

    def __init__(
        self,
        model: Model,
        mesh: Mesh,
        head: str,
        rows: HeadRows,
        rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
    ):
        self._hosts, self._rows = HostRows(mesh), rows

        def outputs(params, batch):
            return model.bind(params).outputs(batch, head)

        self._outputs = jax.jit(on_mesh(outputs, mesh, rules), out_shardings=replicated(mesh))

    def predict(self, params: Params, examples: EvaluationSet, batch_size: int) -> list[Prediction]:
        """The prediction for each example of this share."""
        outputs, mine = [], self._hosts.mine(batch_size)
        for batch in examples.batches(batch_size):
            found = self._outputs(params, self._hosts.on_devices(batch))
            outputs += list(jax.device_get(found)[mine])
        texts = [{**text, "inputs": text["inputs_pretokenized"]} for text in examples.texts()]
        return [
            Prediction(*self._rows.read(row, text, output))
            for row, text, output in zip(examples.examples, texts, outputs, strict=False)
        ]
