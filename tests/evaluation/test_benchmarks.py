import pytest

from t2t.errors import UserError
from t2t.evaluation import benchmarks
from t2t.evaluation.benchmarks import benchmark_averages, glue_average, super_glue_average


@pytest.mark.parametrize(
    ("average", "groups"),
    [(glue_average, benchmarks._GLUE), (super_glue_average, benchmarks._SUPER_GLUE)],
)
def test_eight_tasks_count_alike_whatever_their_number_of_metrics(average, groups):
    metrics = {
        name: float(task) for task, names in enumerate(groups.values()) for name in names
    } | {"glue_wnli_v002/accuracy": 1e9, "loss": 1e9}
    assert len(groups) == 8
    assert average(metrics) == 3.5


def test_averages_of_what_is_complete():
    glue = {name: 1.0 for names in benchmarks._GLUE.values() for name in names}
    others = {name: 2.0 for names in benchmarks._SUPER_GLUE.values() for name in names}
    assert benchmark_averages(glue) == {"glue_average": 1.0}
    bytes_too = {f"byt5_{name}": 3.0 for name in glue}
    twins = {name.replace("/", "_1_sentinel/"): 4.0 for name in others}
    assert benchmark_averages(glue | others | bytes_too | twins | {"loss": 9.0}) == {
        "glue_average": 1.0,
        "super_glue_average": 2.0,
        "byt5_glue_average": 3.0,
        "super_glue_average_1_sentinel": 4.0,
    }
    del glue["glue_qqp_v002/f1"]
    assert benchmark_averages(glue) == {}


def test_missing_metrics_are_named():
    metrics = {name: 1.0 for names in benchmarks._GLUE.values() for name in names}
    del metrics["glue_qqp_v002/f1"]
    with pytest.raises(UserError, match="The GLUE average lacks glue_qqp_v002/f1"):
        glue_average(metrics)
