from t2t.models.definition import Model
from t2t.reporting.parameters import parameter_table
from t2t.training.partitioning import MeshShape
from tests.training.conftest import TINY


def test_table_names_shapes_axes_splits_and_the_total():
    lines = parameter_table(Model(TINY), MeshShape(1, 4, 2).mesh()).splitlines()
    kernel = next(x for x in lines if x.startswith("encoder/layers/mlp/wo/kernel"))
    assert kernel.split() == [
        *("encoder/layers/mlp/wo/kernel", "2x32x16", "layers,", "mlp,", "embed"),
        *("-,", "tensor,", "fsdp", "1,024"),
    ]
    counts = [int(line.split()[-1].replace(",", "")) for line in lines[1:-1]]
    assert lines[-1] == f"{sum(counts):,} parameters in all"
