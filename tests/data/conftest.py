"""Small tasks, and registries that forget what a test added."""

import pytest

from t2t.data.features import Feature
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary


@pytest.fixture
def registries():
    """The task and the mixture registry; what the test adds is removed after it."""
    before = [(registry, set(registry.names())) for registry in (TaskRegistry, MixtureRegistry)]
    yield TaskRegistry, MixtureRegistry
    for registry, names in before:
        for name in set(registry.names()) - names:
            registry.remove(name)


@pytest.fixture
def make_task():
    """`make_task("a", 300)`: targets "a0", "a1", ... in bytes; or give the examples."""
    feature = Feature(ByteVocabulary(extra_ids=100))

    def make(name="task", examples=300, split="train", **fields):
        if isinstance(examples, int):
            examples = [{"inputs": f"{i:x}", "targets": f"{name}{i}"} for i in range(examples)]
        fields.setdefault("output_features", {"inputs": feature, "targets": feature})
        return Task(name, InMemoryDataSource({split: examples}), **fields)

    return make
