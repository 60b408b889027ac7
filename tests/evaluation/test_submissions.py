"""Files for leaderboards, in the formats that their sites ask for."""

import json
import zipfile

import jax
import pytest

from t2t.data.registry import TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.errors import UserError
from t2t.evaluation import submissions
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.policy import EvalPolicy
from t2t.evaluation.results import TaskResult
from t2t.evaluation.submissions import GLUE, SUPER_GLUE, tasks_of, write_submission
from t2t.models.definition import Model
from t2t.training.partitioning import MeshShape
from tests.training.conftest import TINY


def results(files, **answers):
    """The same answer to two examples of each file, or those given."""
    found = {}
    for file in files:
        given = answers.get(file.name.replace("-", "_"))
        if given is None:
            is_text = file.labels is None or isinstance(next(iter(file.labels)), str)
            key = "prediction" if is_text else "prediction_value"
            last = "1.0" if file.labels is None else list(file.labels)[-1]
            given = [{file.index: i, key: last} for i in (1, 0)]
        found[file.task] = TaskResult(len(given), {}, {}, tuple(given))
    return found


def test_glue(tmp_path):
    given = results(
        GLUE,
        CoLA=[{"idx": 1, "prediction": "unacceptable"}, {"idx": 0, "prediction": "what"}],
        STS_B=[{"idx": i, "prediction": x} for i, x in enumerate(["3.4", "x", "7", "nan"])],
        AX=[{"idx": 0, "prediction": "contradiction"}],
        WNLI=[{"idx": 0, "prediction": "she", "prediction_value": -1}],
    )
    invalid = write_submission("glue", given, tmp_path)
    assert {name: count for name, count in invalid.items() if count} == {
        "CoLA": 1, "STS-B": 2, "WNLI": 1
    }  # fmt: skip
    files = {path.name: path.read_text() for path in tmp_path.glob("*.tsv")}
    assert files.keys() == {
        f"{name}.tsv"
        for name in (
            *("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI-m", "MNLI-mm", "QNLI", "RTE"),
            *("WNLI", "AX"),
        )
    }
    assert files["CoLA.tsv"] == "index\tprediction\n0\t1\n1\t0\n"
    assert files["STS-B.tsv"] == "index\tprediction\n0\t3.4\n1\t2.5\n2\t5.0\n3\t2.5\n"
    assert files["AX.tsv"] == "index\tprediction\n0\tcontradiction\n"
    assert files["WNLI.tsv"] == "index\tprediction\n0\t0\n"
    assert files["RTE.tsv"].splitlines()[1] == "0\tnot_entailment"
    assert files["QQP.tsv"].splitlines()[1] == "0\t1"
    with zipfile.ZipFile(tmp_path / "glue.zip") as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files


def test_super_glue(tmp_path):
    def answer(paragraph, question, number, prediction):
        ids = {"paragraph": paragraph, "question": question, "answer": number}
        return {"prediction": prediction, **{f"idx/{part}": i for part, i in ids.items()}}

    texts = ["True", "False", "perhaps", "True"]
    places = [(1, 7, 3), (0, 2, 1), (0, 2, 0), (0, 1, 9)]
    given = results(
        SUPER_GLUE,
        MultiRC=[answer(*place, text) for place, text in zip(places, texts, strict=True)],
        ReCoRD=[{"idx/query": 4, "prediction": x} for x in ("Ann", "Bob")],
        WSC=[{"idx": 0, "prediction": "x", "prediction_value": 1}],
    )
    invalid = write_submission("super_glue", given, tmp_path)
    assert {name for name, count in invalid.items() if count} == {"MultiRC"}

    def lines(name):
        return [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]

    assert lines("MultiRC") == [
        {
            "idx": 0,
            "passage": {
                "questions": [
                    {"idx": 1, "answers": [{"idx": 9, "label": 1}]},
                    {"idx": 2, "answers": [{"idx": 0, "label": 0}, {"idx": 1, "label": 0}]},
                ]
            },
        },
        {"idx": 1, "passage": {"questions": [{"idx": 7, "answers": [{"idx": 3, "label": 1}]}]}},
    ]
    assert lines("ReCoRD") == [{"idx": 4, "label": "Ann"}]
    assert lines("WSC") == [{"idx": 0, "label": "True"}]
    assert lines("BoolQ") == [{"idx": 0, "label": "false"}, {"idx": 1, "label": "false"}]
    assert lines("COPA")[0] == {"idx": 0, "label": 1}
    assert lines("AX-b")[0]["label"] == "entailment"
    assert lines("WiC")[0]["label"] == "true"


def test_test_sets_are_decoded_by_their_own_idx(monkeypatch, tmp_path, caplog):
    """STS-B's text has no idx, and TFDS shuffles examples."""
    fields = {
        "glue_stsb_v002": {"sentence1": "a", "sentence2": "b", "label": -1.0},
        "glue_rte_v002": {"sentence1": "a", "sentence2": "b", "label": -1},
    }
    files = [file for file in GLUE if file.task in fields]
    monkeypatch.setattr(submissions, "BENCHMARKS", {"glue": files})
    for name, example in fields.items():
        task = TaskRegistry.get(f"byt5_{name}")
        source = InMemoryDataSource({"test": [{**example, "idx": i} for i in (2, 0, 1)]})
        monkeypatch.setitem(TaskRegistry._items, task.name, task.replace(source=source))
    vocabulary = task.output_features["targets"].vocabulary
    mixture = tasks_of("glue", vocabulary.fingerprint)
    policy = EvalPolicy(batch_size=8, split="test", num_examples=None)
    model, lengths = Model(TINY), {"inputs": 32, "targets": 4}
    evaluator = Evaluator(model, MeshShape().mesh(), mixture, lengths, policy)
    found = evaluator.evaluate(jax.jit(lambda: model.init(jax.random.key(0)))())
    assert {name: result.metrics for name, result in found.items()} == {n: {} for n in fields}
    assert "no metrics" not in caplog.text  # nobody asked for any
    write_submission("glue", found, tmp_path)
    for name in ("STS-B", "RTE"):
        rows = (tmp_path / f"{name}.tsv").read_text().splitlines()
        assert [row.split("\t")[0] for row in rows] == ["index", "0", "1", "2"]


def test_a_vocabulary_without_tasks(monkeypatch):
    names = {file.task for file in GLUE}
    for name in names:
        monkeypatch.setitem(
            TaskRegistry._items, name, TaskRegistry.get(f"byt5_{name}").replace(name=name)
        )
    with pytest.raises(UserError, match=r"neither that of glue_cola_v002 nor that of byt5_glue"):
        tasks_of("glue", "another")
