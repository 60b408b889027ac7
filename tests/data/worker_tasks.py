"""Tasks that worker processes find by importing this module."""

import os
import signal
import time
from pathlib import Path

from t2t.data.features import Feature
from t2t.data.mixtures import Mixture
from t2t.data.objectives import SpanCorruption
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import InMemoryDataSource, JsonLinesDataSource
from t2t.data.vocabularies import ByteVocabulary, LabelVocabulary
from t2t.errors import UserError

LABELS = LabelVocabulary(("no", "yes"))
_feature = Feature(ByteVocabulary(extra_ids=100))
_features = {"inputs": _feature, "targets": _feature}


def _draws(example, rng):
    return {**example, "inputs": str(rng.integers(1000))}


def _dies(example):
    os.kill(os.getpid(), signal.SIGKILL)


def _hangs(example):
    time.sleep(60)
    return example


def _is_bad(example):
    raise UserError("this record is bad")


def _add(name, *preprocessors, **fields):
    examples = [{"inputs": "", "targets": f"{name}{i} " * (1 + i % 7)} for i in range(50)]
    source = InMemoryDataSource({"train": examples})
    return TaskRegistry.add(
        f"worker_{name}", source, preprocessors, output_features=_features, **fields
    )


def register():
    """Registers the tasks, once, and returns the mixture of the good ones."""
    if TaskRegistry.maybe_get("worker_draws") is None:
        parts = [_add("draws", _draws), _add("web", objective=SpanCorruption())]
        for name, preprocessor in {"dies": _dies, "hangs": _hangs, "bad": _is_bad}.items():
            _add(name, preprocessor)
        lines = str(Path(__file__).with_name("one_bad_record.jsonl"))
        source = JsonLinesDataSource({"train": lines}, on_bad_record="skip")
        TaskRegistry.add("worker_skips", source, output_features=_features)
        features = {**_features, "targets": Feature(LABELS, add_eos=False)}
        pairs = [{"inputs": f"text {i}", "targets": LABELS.labels[i % 2]} for i in range(20)]
        TaskRegistry.add(
            "worker_labels", InMemoryDataSource({"train": pairs}), output_features=features
        )
        MixtureRegistry.add("worker_mixture", parts, default_rate=1.0)
    mixture = MixtureRegistry.maybe_get("worker_mixture")
    assert isinstance(mixture, Mixture)
    return mixture


register()
