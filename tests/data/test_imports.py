import json
import subprocess
import sys

import pytest

HEAVY = ("jax", "flax", "grain", "tensorflow", "torch")
MODULES = [
    "t2t",
    "t2t.data.evaluation_set",
    "t2t.data.mixtures",
    "t2t.data.objectives",
    "t2t.data.preprocessors",
    "t2t.data.registry",
    "t2t.data.sources",
    "t2t.data.tasks",
    "t2t.data.vocabularies",
    "t2t.data.converters",
]


def run(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def loaded_by(program):
    return json.loads(run(f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"))


@pytest.mark.parametrize(
    "program",
    [
        *(f"import {module}" for module in MODULES),
        "from t2t.data import registry; registry.import_shipped_tasks()",
        "import t2t; t2t.SpanCorruption, t2t.TaskRegistry, t2t.ByteVocabulary, t2t.UserError",
    ],
)
def test_nothing_heavy_is_loaded_by(program):
    loaded = loaded_by(program)
    assert "t2t" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_import_t2t_takes_less_than_a_second():
    timing = (
        "import time; start = time.perf_counter(); import t2t; print(time.perf_counter() - start)"
    )
    assert min(float(run(timing)) for _ in range(3)) < 1.0
