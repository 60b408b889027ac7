"""Every setting of generation that transformers has is known here, or changes no output."""

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import GenerationConfig

from t2t.errors import UserError
from t2t.interop.generation_settings import not_done, preferred_flags, read_generation
from tests.decoding.predicting import T5

pytestmark = pytest.mark.parity

# Speed, memory, what is returned beside the tokens, and helpers that a file cannot name.
CHANGE_NOTHING = {
    *("use_cache", "cache_implementation", "cache_config", "max_cache_len", "low_memory"),
    *("compile_config", "disable_compile", "prefill_chunk_size", "continuous_batching_config"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits"),
    *("return_dict_in_generate", "pad_token_id", "bos_token_id", "transformers_version"),
    *("is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "use_mtp"),
    *("assistant_confidence_threshold", "assistant_early_exit", "assistant_lookbehind"),
    *("assistant_ensemble_weight", "target_lookbehind", "speculation_type"),
    *("prompt_lookup_num_tokens", "max_matching_ngram_size"),
}


def test_all_settings_are_known(tmp_path):
    names = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    known = {name for name in names if _is_known(name, tmp_path)}
    assert len(known) > 40
    assert names - known == CHANGE_NOTHING & names


def test_defaults_ask_for_nothing():
    defaults = GenerationConfig._get_default_generation_params()
    given = {name: value for name, value in defaults.items() if value is not None}
    assert not_done(given) == []
    assert preferred_flags({**given, "max_length": 0}, T5) == ""


def _is_known(name, folder):
    """Whether it is read: then one of these is taken, or refused."""
    for value in (1, [1], [[1]]):
        try:
            return name in read_generation(folder, {name: value})
        except UserError:
            continue
    return False
