"""Every test runs on eight simulated devices, with rank promotion an error."""

import importlib.metadata
import os
import tempfile

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tiny programs take longer to compile than to run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if importlib.metadata.version("jaxlib").startswith("0.10."):
    # Compiles in half the time; later versions do not know it.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import jax
import pytest

from t2t.data.features import Feature
from t2t.data.vocabularies import ByteVocabulary

jax.config.update("jax_numpy_rank_promotion", "raise")

# Many tests compile the same tiny programs; a cache of their own for the session saves minutes.
_cache = tempfile.TemporaryDirectory(prefix="t2t-test-cache-")
jax.config.update("jax_compilation_cache_dir", _cache.name)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture
def optimised():
    """Programs are compiled as for users, to look at what becomes of them."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def byte_features():
    """Inputs and targets in bytes with 100 sentinels."""
    feature = Feature(ByteVocabulary(extra_ids=100))
    return {"inputs": feature, "targets": feature}
