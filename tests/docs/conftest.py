import sys
from pathlib import Path

import pytest

from t2t.data.registry import MixtureRegistry, TaskRegistry


@pytest.fixture
def forgotten(tmp_path):
    """Tasks and modules that a page brings are gone after it."""
    registered = [(registry, set(registry.names())) for registry in (TaskRegistry, MixtureRegistry)]
    modules = set(sys.modules)
    yield
    for registry, names in registered:
        for name in set(registry.names()) - names:
            registry.remove(name)
    for name in set(sys.modules) - modules:
        place = getattr(sys.modules[name], "__file__", None)
        if place and Path(place).is_relative_to(tmp_path):
            del sys.modules[name]
