"""Every configuration of GEM in TFDS's own structure: strings, splits and references."""

import types

import pytest

from t2t.data.registry import TaskRegistry, import_shipped_tasks
from t2t.errors import UserError
from tests.tasks.prepared import prepare, tfds

VERSION = "1.1.0"
SUMMARY = {"target": "It rained.", "references": ["It rained.", "There was rain."]}


def cell(value, is_header=False, width=1):
    return {"value": value, "is_header": is_header, "column_span": width, "row_span": 1}


MLSUM = {"text": "Für Äcker.", "topic": "x", "url": "u", "title": "t", "date": "d"}
WEB_NLG = {"input": ["Aarhus | leader | Bo", "Bo | age | 40"], "category": "c", "webnlg_id": "1"}
TOTTO = {
    "totto_id": 1,
    "table_page_title": "A page",
    "table_webpage_url": "u",
    "table_section_title": "Goals",
    "table_section_text": "",
    "table": [[cell("Year", True), cell("Goals", True)], [cell("1990", True), cell("3")]],
    "highlighted_cells": [[1, 1]],
    "example_id": "1",
    "overlap_subset": "none",
    "sentence_annotations": [
        {
            "original_sentence": "o",
            "sentence_after_deletion": "d",
            "sentence_after_ambiguity": "a",
            "final_sentence": "f",
        }
    ],
}
ACTS = [
    {"act": "OFFER", "slot": "city", "values": ["Rome", "Bonn"]},
    {"act": "REQ_MORE", "slot": "", "values": []},
]
CASES = {
    "common_gen": (
        {"concept_set_id": 1, "concepts": ["ski", "snow"]},
        "write a sentence with: ski, snow",
    ),
    "cs_restaurants": (
        {
            "dialog_act": "inform(name='Ananta')",
            "dialog_act_delexicalized": "x",
            "target_delexicalized": "x",
        },
        "say in Czech: inform(name='Ananta')",
    ),
    "dart": (
        {
            "dart_id": 1,
            "tripleset": ["Mars age 3", "Mars place 4"],
            "subtree_was_extended": False,
            "target_sources": ["s"],
        },
        "describe: Mars age 3 | Mars place 4",
    ),
    "e2e_nlg": ({"meaning_representation": "name[Blue]"}, "describe: name[Blue]"),
    "mlsum_de": (MLSUM, "summarize: Für Äcker."),
    "mlsum_es": (MLSUM, "summarize: Für Äcker."),
    "schema_guided_dialog": (
        {
            "dialog_id": "1",
            "turn_id": 2,
            "service": "s",
            "prompt": "Where?",
            "context": ["Hi", "Where?"],
            "dialog_acts": ACTS,
        },
        "reply to: Where? acts: offer(city=Rome, Bonn) req_more()",
    ),
    "totto": (TOTTO, "describe: page: A page section: Goals cells: 3 (Goals, 1990)"),
    "web_nlg_en": (WEB_NLG, "describe: Aarhus | leader | Bo; Bo | age | 40"),
    "web_nlg_ru": (WEB_NLG, "describe in Russian: Aarhus | leader | Bo; Bo | age | 40"),
    "wiki_auto_asset_turk": ({"source": "A long one."}, "simplify: A long one."),
    "xsum": ({"xsum_id": "1", "document": "Clouds."}, "summarize: Clouds."),
    "wiki_lingua_german_de": (
        {
            "source": "Artikel.",
            "source_aligned": {"de": "Artikel.", "en": "Article."},
            "target_aligned": {"de": "z", "en": "s"},
        },
        "summarize: Artikel.",
    ),
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Of nested sequences, TFDS asks TensorFlow for its name of a type."""
    folder = tmp_path_factory.mktemp("tfds")
    types_alone = types.SimpleNamespace(dtypes=types.SimpleNamespace(as_dtype=lambda dtype: dtype))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.features.feature, "tf", types_alone)
        for name, (fields, _) in CASES.items():
            common = {"gem_id": "1", "gem_parent_id": "1", **fields}
            train = {**common, "target": "It rained.", "references": []}
            without = {**common, "target": "", "references": []}
            splits = {"train": [train], "validation": [{**common, **SUMMARY}]}
            splits["test_asset" if "asset" in name else "test"] = [without]
            prepare(folder, f"gem/{name}:{VERSION}", splits)
    return folder


@pytest.fixture
def task_of(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    import_shipped_tasks()
    return lambda name: TaskRegistry.get(f"gem_{name}")


def example_of(task, split):
    [example] = task.preprocess(task.raw_examples(split)[0], rng=None)
    return example


@pytest.mark.parametrize("name", CASES)
def test_strings_and_references(task_of, name):
    task = task_of(name)
    expected = {"inputs": CASES[name][1], "targets": "It rained."}
    assert example_of(task, "train") == {**expected, "references": ["It rained."]}
    example = example_of(task, "validation")
    assert example == {**expected, "references": SUMMARY["references"]}
    target = task.postprocess(example["targets"], example, is_target=True)
    assert target == SUMMARY["references"]
    scores = {}
    for metric in task.metric_fns:
        scores |= metric([target], ["There was rain."])
    assert scores["bleu"] == pytest.approx(100)
    assert {n: v for n, v in scores.items() if n != "bleu"} == {
        "rouge1": 100,
        "rouge2": 100,
        "rougeL": 100,
        "rougeLsum": 100,
    }


def test_a_test_split_without_references_is_refused(task_of):
    task = task_of("common_gen")
    example = example_of(task, "test")
    assert example["targets"] == ""
    with pytest.raises(UserError, match=r"no reference to compare with.*'validation'"):
        task.postprocess("", example, is_target=True)


def test_all_configurations_and_splits_of_tfds_are_there(tmp_path):
    gem = pytest.importorskip("tensorflow_datasets.text.gem.gem")
    import_shipped_tasks()
    for config in gem.Gem.BUILDER_CONFIGS:
        builder = gem.Gem(config=config.name, data_dir=str(tmp_path))
        generators = builder._split_generators(_AnyFolder())
        splits = {str(generator.name) for generator in generators}
        for prefix in ("", "mt5_", "byt5_"):
            assert set(TaskRegistry.get(f"{prefix}gem_{config.name}").splits) == splits


class _AnyFolder:
    """In place of TFDS's download manager."""

    def download_and_extract(self, urls):
        return dict.fromkeys(urls, "/nowhere") if isinstance(urls, dict) else "/nowhere"


def test_russian_is_compared_word_by_word(task_of):
    rouge = task_of("web_nlg_ru").metric_fns[1]
    assert rouge([["Он живёт"]], ["он живёт"])["rouge1"] == 100
