"""Collections of tasks in JSON Lines files, as FLAN's are published."""

import gzip
import itertools
import json

import pytest

from t2t.data.dataset import token_examples
from t2t.data.mixtures import mixing_rates
from t2t.data.preprocessors import random_template
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import JsonLinesDataSource
from t2t.data.task_collections import add_collection
from t2t.errors import UserError
from t2t.evaluation.metrics import exact_match

SIZES = {"aeslc": 4, "odd-one-out": 20, "rte": 6}


@pytest.fixture(autouse=True)
def _empty_registries(monkeypatch):
    for registry in (TaskRegistry, MixtureRegistry):
        monkeypatch.setattr(registry, "_items", {})


def lines(task, count):
    return "".join(
        json.dumps(
            {
                "inputs": f"{task} {i}?",
                "targets": f"{i}",
                "_template_idx": 0,
                "_task_source": "Flan2021",
                "_task_name": task,
                "_template_type": "zs_opt",
            }
        )
        + "\n"
        for i in range(count)
    )


@pytest.fixture
def folder(tmp_path):
    for task, count in SIZES.items():
        (tmp_path / f"{task}.jsonl").write_text(lines(task, count))
    packed = tmp_path / "rte.jsonl"
    (tmp_path / "rte.jsonl.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    return tmp_path


def test_a_task_for_each_file_in_proportion_to_capped_sizes(folder, byte_features):
    mixture = add_collection("flan_test", folder, byte_features, maximum=10)
    assert MixtureRegistry.get("flan_test") is mixture
    rates = mixing_rates(mixture, "train")
    assert rates == pytest.approx(
        {"flan_test:aeslc": 0.2, "flan_test:odd_one_out": 0.5, "flan_test:rte": 0.3}
    )
    hot = add_collection("hot", folder / "*.jsonl*", byte_features, temperature=2.0)
    assert mixing_rates(hot)["hot:odd_one_out"] == pytest.approx(20**0.5 / (2 + 20**0.5 + 6**0.5))
    whole = add_collection("whole", [folder / "aeslc.jsonl"], byte_features, maximum=None)
    assert mixing_rates(whole) == {"whole:aeslc": 1.0}


def test_a_task_for_each_value_of_a_field(folder, byte_features):
    path = folder / "everything.jsonl"
    path.write_text("".join(lines(task, count) for task, count in SIZES.items()))
    mixture = add_collection(
        "by_name", path, byte_features, field="_task_name", values=["rte", "odd-one-out"]
    )
    assert [t.name for t in mixture.tasks] == ["by_name:rte", "by_name:odd_one_out"]
    assert [t.num_input_examples() for t in mixture.tasks] == [6, 20]
    assert mixture.tasks[0].raw_examples("train")[5]["inputs"] == "rte 5?"


def test_splits_have_files_of_their_own(folder, byte_features):
    (folder / "held_out").mkdir()
    (folder / "held_out" / "rte.jsonl").write_text(lines("rte", 2))
    by_split = {"train": folder, "validation": folder / "held_out"}
    mixture = add_collection("split", by_split, byte_features, metric_fns=[exact_match])
    splits = {task.name: task.splits for task in mixture.tasks}
    assert splits["split:rte"] == ("train", "validation")
    assert splits["split:aeslc"] == ("train",)
    assert mixture.tasks[0].metric_fns == (exact_match,)


def test_no_file_is_opened_before_it_is_needed(folder, byte_features, monkeypatch):
    (folder / "broken.jsonl").write_text("no json")
    opened = []
    original = JsonLinesDataSource._open_file

    def counted(self, path):
        opened.append(path)
        return original(self, path)

    monkeypatch.setattr(JsonLinesDataSource, "_open_file", counted)
    mixture = add_collection("lazy", folder, byte_features)
    values = add_collection("lazy2", folder, byte_features, field="_task_name", values=["rte"])
    assert (len(mixture.tasks), len(values.tasks), opened) == (4, 1, [])


@pytest.mark.parametrize("by", [{}, {"field": "_task_name", "values": ["aeslc"]}])
def test_bad_records_may_be_skipped(folder, byte_features, by):
    path = folder / "aeslc.jsonl"
    path.write_text(path.read_text() + "no json\n")
    [strict] = add_collection("strict", path, byte_features, **by).tasks
    with pytest.raises(UserError, match=r"line 5 is not JSON.*on_bad_record='skip'"):
        strict.raw_examples("train")
    [lax] = add_collection("lax", path, byte_features, on_bad_record="skip", **by).tasks
    assert lax.raw_examples("train")[3]["targets"] == "3"
    assert len(lax.source.skipped) == 1


def test_templates_are_drawn_anew_in_every_epoch(folder, byte_features):
    templates = [("{inputs}", "{targets}"), ("Answer: {inputs}", "{targets}!")]
    mixture = add_collection(
        "templated",
        folder / "aeslc.jsonl",
        byte_features,
        preprocessors=[random_template(templates)],
    )
    drawn = token_examples(
        mixture, {"inputs": 32, "targets": 8}, shuffle=True, num_epochs=None, seed=1
    )
    vocabulary = byte_features["inputs"].vocabulary
    texts = [vocabulary.decode(e.example["inputs"]) for e in itertools.islice(drawn, 40)]
    assert {t for t in texts if "aeslc 2?" in t} == {"aeslc 2?", "Answer: aeslc 2?"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"files": "flan_tset/*.jsonl"}, "does not exist"),
        ({"files": "."}, r"folder '.' has no files \*.jsonl"),
        ({"files": "s3://bucket/*.jsonl"}, "would have to be fetched"),
        ({"files": "x.jsonl", "field": "_task_name"}, "needs both, field= and values="),
        ({"files": "x.jsonl", "values": ["a"]}, "FieldIndex"),
    ],
)
def test_mistakes_are_named(tmp_path, monkeypatch, byte_features, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        add_collection("wrong", output_features=byte_features, **arguments)


def test_two_tasks_of_one_name_are_an_error(folder, byte_features):
    (folder / "odd_one_out.jsonl").write_text(lines("odd", 1))
    with pytest.raises(UserError, match="'twice:odd_one_out' is already defined"):
        add_collection("twice", folder, byte_features)
