"""Every test runs on eight simulated devices, with rank promotion an error."""

import os

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

from t2t.data.features import Feature
from t2t.data.vocabularies import ByteVocabulary

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def byte_features():
    """Inputs and targets in bytes with 100 sentinels."""
    feature = Feature(ByteVocabulary(extra_ids=100))
    return {"inputs": feature, "targets": feature}
