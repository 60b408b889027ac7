"""Summaries: the strings of each data set in TFDS's own structure, and the metric."""

import pytest

from t2t.data.registry import TaskRegistry, import_shipped_tasks
from tests.tasks.prepared import prepare

TEXTS = {"summary": "It rained."}
CASES = {
    "xsum": ("xsum:1.1.0", {"document": "Clouds came.", **TEXTS}),
    "samsum": ("samsum:1.0.0", {"dialogue": "A: Hi\r\nB: Hi", "id": "1", **TEXTS}),
    "multi_news": ("multi_news:2.1.0", {"document": "One ||||| Two", **TEXTS}),
    "billsum": ("billsum:3.0.0", {"text": "SECTION 1.", "title": "An act", **TEXTS}),
}
ARTICLES = ("Clouds came.", "A: Hi\r\nB: Hi", "One ||||| Two", "SECTION 1.")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for name, (dataset, example) in CASES.items():
        splits = dict.fromkeys(("train", "test", "validation"), [example] * 10)
        if name == "billsum":
            splits["ca_test"] = splits.pop("validation")
        prepare(folder, dataset, splits)
    return folder


@pytest.mark.parametrize(("name", "article"), list(zip(CASES, ARTICLES, strict=True)))
def test_strings_and_splits(name, article, data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    import_shipped_tasks()
    for prefix in ("", "mt5_", "byt5_"):
        task = TaskRegistry.get(f"{prefix}{name}")
        [example] = task.preprocess(task.raw_examples("validation")[0], rng=None)
        assert example == {"inputs": f"summarize: {article}", "targets": "It rained."}
        sizes = {split: task.num_input_examples(split) for split in task.splits}
        if name == "billsum":
            assert sizes == {"train": 9, "validation": 1, "test": 10, "ca_test": 10}
        else:
            assert sizes == {"train": 10, "validation": 10, "test": 10}


def test_rouge_of_four_kinds():
    import_shipped_tasks()
    [metric] = TaskRegistry.get("xsum").metric_fns
    scores = metric(["the cat sat", "a dog"], ["the cat", "a dog"])
    assert list(scores) == ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    assert scores["rougeL"] == pytest.approx(90)
