"""mC4 in the structure that TFDS gives it, languages as splits."""

import pytest

from t2t.data.dataset import token_examples
from t2t.data.mixtures import Mixture, mixing_rates
from t2t.data.registry import MixtureRegistry, TaskRegistry, import_shipped_tasks
from t2t.errors import UserError
from tests.tasks.prepared import prepare

PAGE = {
    "url": "https://example.org",
    "content-type": "text/plain",
    "content-length": "10",
    "timestamp": "2022-01-01T00:00:00Z",
}
SIZES = {"af": 2, "bg-Latn": 30}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    splits = {}
    for language, size in SIZES.items():
        pages = [{**PAGE, "text": f"Página {i} in {language}. " * 30} for i in range(size)]
        splits |= {language: pages, f"{language}-validation": pages[:1]}
    prepare(folder, "c4/multilingual:3.1.0", splits)
    return folder


@pytest.fixture
def tasks(data_dir, monkeypatch):
    """By name, opened anew, on the data above."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    import_shipped_tasks()
    return TaskRegistry


def test_every_language_that_tfds_has_is_a_task():
    from tensorflow_datasets.text.c4 import MC4_LANGUAGES

    for prefix in ("", "byt5_"):
        names = [f"{prefix}mc4.{language.replace('-', '_')}" for language in MC4_LANGUAGES]
        for mixture in (f"{prefix}mc4", f"{prefix}mc4_unimax"):
            assert [task.name for task in MixtureRegistry.get(mixture).tasks] == names


@pytest.mark.parametrize(("language", "size"), SIZES.items())
def test_pages_are_targets_and_each_language_has_its_own(tasks, language, size):
    task = tasks.get(f"mc4.{language.replace('-', '_')}")
    assert [len(task.raw_examples(s)) for s in ("train", "validation")] == [size, 1]
    [example] = task.preprocess(task.raw_examples("train")[0], rng=None)
    assert example["targets"].startswith("Página")
    assert f"in {language}" in example["targets"]


def test_bytes_are_hidden_in_spans_of_twenty(tasks):
    task = tasks.get("byt5_mc4.bg_Latn")
    _, example = next(token_examples(task, {"inputs": 1024, "targets": 189}))  # ByT5's
    assert [len(example["inputs"]), len(example["targets"])] == [1024, 189]
    assert (example["targets"] >= 259).sum() == 9  # sentinels of 179 bytes
    assert tasks.get("mc4.af").objective.mean_noise_span_length == 3.0


def test_languages_are_drawn_by_the_power_of_their_share(tasks):
    for prefix in ("", "byt5_"):
        rates = dict(MixtureRegistry.get(f"{prefix}mc4").parts)
        few = [tasks.get(f"{prefix}mc4.{name}") for name in ("af", "bg_Latn")]
        mixture = Mixture("few", [(task, rates[task]) for task in few])
        shares = mixing_rates(mixture, "train")
        assert shares[f"{prefix}mc4.af"] == pytest.approx(2**0.3 / (2**0.3 + 30**0.3))


def test_a_language_that_is_not_prepared_is_named(tasks, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"Task 'mc4.de'.*no split 'de', only 'af'"):
        tasks.get("mc4.de").raw_examples("train")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"tfds.builder\('c4/multilingual:3.1.0'"):
        tasks.get("mc4.fr").raw_examples("train")
