"""Every task and mixture of the t5 library, by name, against what t5 0.9.4 made of the same data.

`t5_examples.json` has examples of every data set, written here by TFDS in its own structure;
`golden/t5_tasks.json` what SeqIO and t5 read of them: texts, tokens, metrics of some predictions,
and rates of mixtures.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from t2t.data.dataset import token_examples
from t2t.data.mixtures import Mixture
from t2t.data.registry import MixtureRegistry, TaskRegistry, import_shipped_tasks
from t2t.data.rows import open_rows
from tests.tasks.prepared import prepare, reopened

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER.parent / "golden" / "t5_tasks.json").read_text(encoding="utf-8"))
TASKS, MIXTURES = GOLDEN["tasks"], GOLDEN["mixtures"]
SUPERVISED = [name for name, case in TASKS.items() if "examples" in case]
UNSUPERVISED = sorted(set(TASKS) - set(SUPERVISED))
SCORED = [(name, split) for name in SUPERVISED for split in TASKS[name].get("metrics", {})]
SCORED.remove(("squad_v010", "validation"))  # t5 takes the letters of the target for answers
LENGTHS = {"inputs": 64, "targets": 32}

# What TFDS calls now what T5 was made with; the data are the same but for a copy of QQP.
RENAMED = {r"^glue/(.*):1\.0\.0$": r"glue/\1:1.0.0|2.0.0", r"^c4/(.*):2\.2\.0$": r"c4/\1:2.2.0|3"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    examples = json.loads((FOLDER / "t5_examples.json").read_text(encoding="utf-8"))
    for dataset, splits in examples.items():
        prepare(folder, dataset, splits)
    return folder


@pytest.fixture(scope="module", autouse=True)
def here(data_dir):
    """The registered tasks read the data above, in a vocabulary that is here."""
    with pytest.MonkeyPatch.context() as monkeypatch, reopened(monkeypatch, data_dir):
        yield


def made(name, split):
    """Texts and tokens of all examples, in the order of the data set."""
    rows = open_rows(TaskRegistry.get(name), split, LENGTHS)
    indices = range(len(rows))
    keys = np.zeros(len(rows), np.uint64)
    texts = [text for row in rows.texts(indices, keys) for text in row]
    units = [unit for row in rows.units(indices, keys) for unit in row]
    return texts, units


def text(example, name):
    """As written, also where the chain has tokenised it."""
    return example.get(f"{name}_pretokenized", example[name])


@pytest.mark.parametrize("name", SUPERVISED)
def test_texts_and_tokens_are_those_of_t5(name):
    task, case = TaskRegistry.get(name), TASKS[name]
    assert sorted(task.splits) == case["splits"]
    for split, expected in case["examples"].items():
        texts, units = made(name, split)
        assert len(texts) == len(units) == len(expected)
        for example, tokens, golden in zip(texts, units, expected, strict=True):
            if golden["targets"] is not None:
                assert [text(example, k) for k in LENGTHS] == [golden[k] for k in LENGTHS]
            for feature, theirs in (("inputs", "input_tokens"), ("targets", "target_tokens")):
                ours = tokens[feature].tolist()
                if name == "trivia_qa_v010" and len(golden["input_tokens"]) == LENGTHS["inputs"]:
                    assert len(ours) == len(golden[theirs])  # the window is drawn
                else:
                    assert ours == golden[theirs]


@pytest.mark.parametrize(("name", "split"), SCORED)
def test_metrics_are_those_of_t5(name, split):
    task, case = TaskRegistry.get(name), TASKS[name]["metrics"][split]
    texts = [{**e, "targets": text(e, "targets")} for e in made(name, split)[0]]
    targets = [task.postprocess(e["targets"], e, is_target=True) for e in texts]
    predictions = [
        task.postprocess(prediction, example, is_target=False)
        for prediction, example in zip(case["predictions"], texts, strict=True)
    ]
    values = {}
    for metric_fn in task.metric_fns:
        values |= metric_fn(targets, predictions)
    assert values == pytest.approx(case["values"], nan_ok=True)
    assert len(task.metric_fns) == TASKS[name]["metric_fns"]


def test_squad_may_be_scored_by_the_first_answer_alone():
    task = TaskRegistry.get("squad_v010")
    texts, _ = made("squad_v010", "validation")
    first = [task.postprocess(e["targets"], e, is_target=True) for e in texts]
    assert first == [[e["answers"][0]] for e in texts]
    [metric_fn] = task.metric_fns
    assert metric_fn(first, ["2016", "in 2016", "part"])["em"] == pytest.approx(100 / 3)


@pytest.mark.parametrize("name", SUPERVISED)
def test_in_bytes_the_texts_are_the_same(name):
    for split, expected in TASKS[name]["examples"].items():
        texts, units = made(f"byt5_{name}", split)
        vocabulary = TaskRegistry.get(f"byt5_{name}").output_features["targets"].vocabulary
        assert vocabulary.vocab_size == 384
        strings = [tuple(text(e, k) for k in LENGTHS) for e in texts]
        if name != "trivia_qa_v010":  # examples whose answer is longer than its window are dropped
            assert strings == [tuple(golden[k] for k in LENGTHS) for golden in expected]
        for example, tokens in zip(texts, units, strict=True):
            start = text(example, "targets").encode()[: LENGTHS["targets"] - 1]
            start = start[:-1] if "sentinel" in name and len(start) == 31 else start
            assert vocabulary.decode(tokens["targets"]) == start.decode(errors="ignore")


@pytest.mark.parametrize("name", UNSUPERVISED)
@pytest.mark.parametrize("prefix", ["", "byt5_"])
def test_pretraining_tasks_make_examples_of_documents(prefix, name):
    task = TaskRegistry.get(prefix + name)
    assert sorted(task.splits) == TASKS[name]["splits"]
    assert task.metric_fns == ()
    for _, example in token_examples(task, {"inputs": 32, "targets": 32}):
        assert set(example) >= set(task.output_features)
        assert all(0 < len(example[key]) <= 32 for key in task.output_features)
        vocabulary = task.output_features["targets"].vocabulary
        sentinels = [t for t in example["targets"].tolist() if vocabulary.sentinel_name(t)]
        hidden = "span" in name or "iid" in name or "unsupervised" in name
        assert bool(sentinels) == hidden
        assert sentinels == [vocabulary.vocab_size - 1 - i for i in range(len(sentinels))]


@pytest.mark.parametrize("corpus", ["c4_v220", "byt5_c4_webtextlike_v020", "wikipedia_20230601.en"])
def test_every_objective_of_the_paper_is_a_task_of_every_text(corpus):
    from t2t_tasks.t5_objectives import OBJECTIVES

    assert len(OBJECTIVES) == 15
    for name, objective in OBJECTIVES.items():
        task = TaskRegistry.get(f"{corpus}_{name}")
        assert type(task.objective) is type(objective)
        assert set(task.output_features) == set(objective.task_features)
        lengths = dict.fromkeys(task.output_features, 64)
        assert next(token_examples(task, lengths))[1]["targets"].size > 0


def test_rows_of_the_full_language_model_are_those_of_t5():
    task = TaskRegistry.get("c4_v220_full_lm")
    rows = [e["targets"].tolist() for _, e in token_examples(task, {"targets": 24}, "validation")]
    assert rows == TASKS["c4_v220_full_lm"]["full_lm"]


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("prefix", ["", "byt5_"])
def test_rates_of_mixtures_are_those_of_t5(prefix, name):
    mixture = MixtureRegistry.get(prefix + name)
    rates = {task.name.removeprefix(prefix): rate for task, rate in mixture.rates().items()}
    expected = {task: rate or 0.0 for task, rate in MIXTURES[name].items()}
    assert rates == pytest.approx(expected)


def test_all_of_t5_is_there():
    import_shipped_tasks()
    assert (len(TASKS), len(MIXTURES)) == (60, 20)
    assert not {f"{p}{name}" for p in ("", "byt5_") for name in TASKS} - set(TaskRegistry.names())


def test_limits_and_temperatures_are_those_of_the_paper():
    plain = MixtureRegistry.get("all_proportional").rates()
    for exponent in range(16, 22):
        rates = MixtureRegistry.get(f"all_proportional_k{exponent}").rates()
        assert rates == {task: min(rate, 2**exponent) for task, rate in plain.items()}
    for temperature in (2, 4, 8):
        rates = MixtureRegistry.get(f"all_proportional_t{temperature}").rates()
        assert rates == pytest.approx({t: r ** (1 / temperature) for t, r in plain.items()})


@pytest.mark.parametrize("name", SUPERVISED + UNSUPERVISED)
def test_data_sets_are_those_of_t5(name):
    dataset = TASKS[name]["dataset"].replace("/en.real", "/real").replace("/en.web", "/web")
    for theirs, ours in RENAMED.items():
        dataset = re.sub(theirs, ours, dataset)
    task = TaskRegistry.get(name)
    assert not isinstance(task, Mixture)
    assert task.source._name.startswith(dataset)
