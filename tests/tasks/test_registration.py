"""What importing `tasks/` costs, and whether what tasks need can be had as their messages say."""

import importlib.util
import re
import subprocess
import sys

import pytest

from t2t.data.converters import EncDecFeatureConverter
from t2t.data.pipeline import TrainPipeline
from t2t.data.registry import MixtureRegistry, TaskRegistry, import_shipped_tasks
from t2t.data.sources import TfdsDataSource
from t2t.data.variants import sentinel_name
from t2t.errors import UserError
from t2t.evaluation import benchmarks
from tests.tasks.prepared import reopened, tfds_builder
from tests.tasks.test_t5_tasks import TASKS
from tests.tasks.test_t5_tasks import data_dir as data_dir

IMPORT = """
import socket, sys, time
import t2t.data.registry as registry

def none(*arguments):
    raise AssertionError("the network is asked")

socket.socket.connect = socket.getaddrinfo = none
start = time.process_time()
registry.import_shipped_tasks()
print(time.process_time() - start)
assert not {"tensorflow_datasets", "sklearn", "scipy", "gcsfs"} & set(sys.modules)
"""


def test_importing_all_tasks_is_quick_and_needs_neither_network_nor_vocabulary(monkeypatch):
    monkeypatch.setenv("T2T_T5_VOCABULARY", "/none.model")
    command = [sys.executable, "-c", IMPORT]
    for _ in range(3):  # one may be slow for other reasons
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        if (seconds := float(run.stdout)) < 1.0:
            break
    assert seconds < 1.0


def data_sets():
    import_shipped_tasks()
    sources = [TaskRegistry.get(name).source for name in TaskRegistry.names()]
    return sorted({source._name for source in sources if isinstance(source, TfdsDataSource)})


def test_a_task_has_one_version_in_bytes():
    names = set(TaskRegistry.names())
    assert {"byt5_xsum", "byt5_mc4.de", "byt5_natural_instructions_xlingual"} <= names
    assert not [name for name in names if name.startswith("byt5_mt5_")]


@pytest.mark.filterwarnings("ignore")
def test_the_commands_that_prepare_data_sets_find_them(tmp_path):
    """Up to the download; TFDS refuses to prepare versions that are neither of these two."""
    assert len(data_sets()) >= 38
    for dataset in data_sets():
        with pytest.raises(UserError, match="is not prepared") as error:
            TfdsDataSource(dataset, ["train"], tmp_path).examples("train")
        pattern = r"`python -c \"import ([^;]*); tfds\.builder\('([^']*)', .*prepare\(\)\"`"
        imports, name = re.search(pattern, str(error.value)).groups()
        assert name == re.sub(r":.*\|", ":", dataset)
        assert [m for m in imports.split(", ")[1:] if importlib.util.find_spec(m) is None] == []
        builder = tfds_builder(tmp_path, name)
        assert builder.version in (builder.canonical_version, max(builder.versions))


@pytest.mark.parametrize("name", ["all_mix", "byt5_all_proportional", "all_proportional_t4"])
def test_mixtures_are_drawn_from(name, data_dir, monkeypatch):
    with reopened(monkeypatch, data_dir):
        converter = EncDecFeatureConverter(pack=True)
        lengths = {"inputs": 64, "targets": 32}
        pipeline = TrainPipeline(MixtureRegistry.get(name), lengths, 8, converter=converter)
        batch, _ = next(pipeline.batches())
        assert batch["encoder_input_tokens"].shape == (8, 64)
        assert (batch["decoder_loss_weights"].sum(axis=1) > 0).all()


def test_averages_of_benchmarks_are_over_metrics_that_the_tasks_have():
    metrics = {
        f"{name}/{metric}": value
        for name, case in TASKS.items()
        for scored in case.get("metrics", {}).values()
        for metric, value in scored["values"].items()
    }
    found = benchmarks.benchmark_averages(metrics)
    assert set(found) == {"glue_average", "super_glue_average", "super_glue_average_1_sentinel"}
    wsc = "super_glue_wsc_v102_simple_eval"
    del metrics[f"{sentinel_name(wsc, 1)}/accuracy"]
    assert set(benchmarks.benchmark_averages(metrics)) == {"glue_average", "super_glue_average"}
