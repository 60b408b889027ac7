"""A tiny experiment that trains in seconds, on tasks made here."""

import pytest

from t2t.data.features import Feature
from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import rekey, text_to_text
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.vocabularies import ByteVocabulary
from t2t.evaluation.metrics import exact_match
from t2t.evaluation.policy import EvalPolicy
from t2t.models.presets import t5
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy

TINY = t5(
    vocab_size=384,
    d_model=16,
    d_ff=32,
    num_heads=2,
    head_dim=8,
    num_encoder_layers=2,
    num_decoder_layers=1,
)


def _register() -> None:
    feature = Feature(ByteVocabulary(extra_ids=100))
    features = {"inputs": feature, "targets": feature}
    words = [f"word{i:03d}" for i in range(240)]
    TaskRegistry.add(
        "tiny_copy",
        source=InMemoryDataSource(
            {
                "train": [{"w": w} for w in words[:200]],
                "validation": [{"w": w} for w in words[200:]],
            }
        ),
        preprocessors=[text_to_text("copy: {w}", "{w}")],
        output_features=features,
        metric_fns=[exact_match],
        baseline_fn=lambda inputs: inputs.removeprefix("copy: "),
    )
    texts = [{"text": " ".join(words[i : i + 12])} for i in range(0, 240, 12)]
    TaskRegistry.add(
        "tiny_text",
        source=InMemoryDataSource({"train": texts[:16], "validation": texts[16:]}),
        preprocessors=[rekey({"targets": "text"})],
        objective=SpanCorruption(mean_noise_span_length=4.0),
        output_features=features,
    )
    MixtureRegistry.add("tiny", [("tiny_copy", 3.0), ("tiny_text", 1.0)])


@pytest.fixture
def experiment(tmp_path):
    """Arguments of `train` for 12 steps of a tiny mixture, without `model_dir` overlap."""
    _register()
    yield {
        "model_dir": str(tmp_path / "run"),
        "mixture": "tiny",
        "sequence_length": {"inputs": 32, "targets": 24},
        "model": TINY,
        "optimizer": optimizers.adafactor(schedules.constant_schedule(1e-2)),
        "batch_size": 8,
        "total_steps": 12,
        "log_every": 4,
        "checkpoint": CheckpointPolicy(every=4),
        "evaluation": EvalPolicy(every=6, num_examples=16, batch_size=16),
    }
    for registry in (TaskRegistry, MixtureRegistry):
        for name in ("tiny_copy", "tiny_text", "tiny"):
            registry.remove(name)
