import importlib
import inspect
import re
import sys

import pytest

from t2t.data import registry
from t2t.data.mixtures import mixing_rates
from t2t.data.registry import get_mixture_or_task
from t2t.data.sources import InMemoryDataSource
from t2t.errors import UserError
from t2t.evaluation.metrics import exact_match

SOURCE = InMemoryDataSource({"train": [{"inputs": "a", "targets": "b"}]})


@pytest.fixture
def add(registries, byte_features):
    """Registers a small task."""
    return lambda name, **fields: registries[0].add(
        name, SOURCE, output_features=byte_features, **fields
    )


@pytest.fixture
def tasks_folder(tmp_path, monkeypatch):
    """An empty folder in place of the shipped `tasks/`; its modules are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(registry, "shipped", lambda folder: tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("t2t_tasks."):
            del sys.modules[name]


def test_added_tasks_are_found_by_name(registries, add):
    task = add("mine", preprocessors=[dict], metric_fns=[exact_match])
    assert get_mixture_or_task("mine") is task
    assert "mine" in registries[0].names()
    assert (task.name, task.preprocessors, task.metric_fns) == ("mine", (dict,), (exact_match,))


def test_mixtures_are_made_of_names_objects_and_pairs(registries, add):
    a, b, _ = add("t.a"), add("t.b"), add("t.c")
    mixture = registries[1].add("mix", ["t.a", (b, 2), ("t.c", 5.0)], default_rate=1)
    assert get_mixture_or_task("mix") is mixture
    assert mixing_rates(mixture) == {"t.a": 0.125, "t.b": 0.25, "t.c": 0.625}
    nested = registries[1].add("nested", [("mix", 1), (a, 1)])
    assert mixing_rates(nested)["t.a"] == 0.5625


def test_a_part_without_rate_is_named(registries, add):
    add("alone")
    with pytest.raises(UserError, match="Mixture 'mix': 'alone' needs a rate"):
        registries[1].add("mix", ["alone"])
    assert "mix" not in registries[1].names()


def test_duplicate_names_say_where_the_first_was_defined(registries, add):
    line = inspect.currentframe().f_lineno + 1
    registries[0].add("twice", SOURCE, output_features=add("once").output_features)
    with pytest.raises(UserError) as error:
        add("twice")
    assert str(error.value) == f"Task 'twice' is already defined at {__file__}:{line}."
    assert registries[0].defined_at("twice") == f"{__file__}:{line}"


def test_duplicate_mixtures_say_where_the_first_was_defined(registries, add):
    add("part")
    registries[1].add("mix", [("part", 1)])
    with pytest.raises(UserError, match=rf"Mixture 'mix' is already .* {re.escape(__file__)}:\d+"):
        registries[1].add("mix", [("part", 1)])


def test_a_removed_name_can_be_defined_again(registries, add):
    first = add("again")
    registries[0].remove("again")
    registries[0].remove("again")
    assert registries[0].maybe_get("again") is None
    assert add("again") is not first


@pytest.mark.parametrize("name", ["", "two words", "a/b", "tab\t"])
def test_malformed_names_are_refused(add, name):
    with pytest.raises(UserError, match=re.escape(f"Task name '{name}' may hold letters")):
        add(name)


@pytest.mark.parametrize("name", ["cola_v003", "web:en.2024", "C4#1", "süß"])
def test_usual_names_are_taken(add, name):
    assert get_mixture_or_task(add(name).name).name == name


def test_unknown_names_are_answered_with_the_nearest_and_how_many(registries, add):
    add("vedic_hymns")
    with pytest.raises(UserError, match=r"Did you mean 'vedic_hymns'\?") as error:
        get_mixture_or_task("vedic_hymn")
    assert "no task or mixture called 'vedic_hymn'" in str(error.value)
    count = len(registry.TaskRegistry.names()) + len(registry.MixtureRegistry.names())
    assert f"`t2t inspect` lists the {count} that there are" in str(error.value)
    assert "--import=your.module" in str(error.value)


def test_unknown_part_of_a_mixture_is_answered_with_the_nearest(registries, add):
    add("vedic_hymns")
    with pytest.raises(UserError, match=r"'vedic_hymn'.* Did you mean 'vedic_hymns'\?"):
        registries[1].add("mix", [("vedic_hymn", 1)])


def test_shipped_tasks_are_imported_when_a_name_is_asked_for():
    assert get_mixture_or_task("quickstart").name == "quickstart"
    assert {"spelling", "inflection"} <= set(registry.TaskRegistry.names())


def test_every_module_of_the_tasks_folder_is_imported_once(registries, tasks_folder):
    (tasks_folder / "counts.py").write_text("seen = []\n")
    registry.import_shipped_tasks()
    first = sys.modules["t2t_tasks.counts"]
    registry.import_shipped_tasks()
    assert sys.modules["t2t_tasks.counts"] is first
    assert first.__file__ == str(tasks_folder / "counts.py")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:\n", "SyntaxError: "),
        ("def load():\n    1 / 0\nload()\n", "ZeroDivisionError: division by zero ("),
    ],
)
def test_a_module_that_fails_is_named(tasks_folder, content, expected):
    path = tasks_folder / "broken.py"
    path.write_text(content)
    for _ in range(2):  # it is tried again, not taken for imported
        with pytest.raises(UserError, match=re.escape(f"Importing {path} failed: {expected}")):
            registry.import_shipped_tasks()
    assert "t2t_tasks.broken" not in sys.modules


def test_other_processes_import_the_module_that_defines_a_variant(
    registries, add, tmp_path, monkeypatch
):
    script = compile("add('of_a_script')", "script.py", "exec")
    exec(script, {"__name__": "__main__", "add": add})
    (tmp_path / "variant_helper.py").write_text(
        "from t2t.data.variants import with_truncated_data\n\n\n"
        "def half(name):\n"
        "    with_truncated_data(name, f'{name}_half', {'train': 1})\n"
    )
    (tmp_path / "variant_tasks.py").write_text(
        "from variant_helper import half\n\n\nhalf('of_a_script')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("variant_tasks")
    assert registry.defining_modules(registries[0].get("of_a_script_half")) == ["variant_tasks"]
    assert registries[0].defined_at("of_a_script_half") == f"{tmp_path / 'variant_helper.py'}:5"
    with pytest.raises(UserError, match="'of_a_script' is defined in a script or notebook, at"):
        registry.defining_modules(registries[0].get("of_a_script"))


def test_an_entry_of_a_mixture_is_a_task_and_its_rate(registries, add):
    add("mine")
    with pytest.raises(
        UserError, match=r"Mixture 'm': \('mine', 1, 2\) must be a task and its rate"
    ):
        registries[1].add("m", [("mine", 1, 2)])


def test_a_module_of_the_tasks_folder_can_import_another(registries, tasks_folder):
    (tasks_folder / "words.py").write_text("WORDS = ['a', 'b']\n")
    (tasks_folder / "any_task.py").write_text("from t2t_tasks.words import WORDS\n")
    registry.import_shipped_tasks()
    assert sys.modules["t2t_tasks.any_task"].WORDS is sys.modules["t2t_tasks.words"].WORDS
