"""GEM, generation from texts and data (Gehrmann et al., arXiv 2102.01672), as `gem_<config>`.

All configurations of TFDS's `gem`, challenge sets included, with all references: BLEU and ROUGE
count the nearest. Inputs are a word or two on what to do, a colon, and the data as one line.
WikiLingua is summarised in English whatever the language of the article; its languages share
articles, so training on one and testing on another is unsound. For languages other than English use
`mt5_gem_...` or `byt5_gem_...`. Licences: https://gem-benchmark.com.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t2t_tasks.summarization import ROUGE
from t2t_tasks.t5_features import MT5_FEATURES, T5_FEATURES

from t2t.data.preprocessors import Preprocessor
from t2t.data.preprocessors.data_to_text import dialog_acts, highlighted_cells, joined
from t2t.data.preprocessors.fields import text, texts
from t2t.data.registry import TaskRegistry
from t2t.data.sources import Example, TfdsDataSource
from t2t.errors import UserError
from t2t.evaluation import metrics


def gem(start: str, describe: Callable[[Example], str]) -> Preprocessor:
    """`start` and the data; "references" are all of them, in training the target alone."""

    def apply(example: Example) -> Example:
        target = text(example, "target")
        references = texts(example, "references") or ([target] if target else [])
        inputs = f"{start}: {describe(example)}"
        return {"inputs": inputs, "targets": target, "references": references}

    return apply


def references(
    decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False
) -> str | Sequence[str]:
    """Postprocessor: for targets all references."""
    if not is_target:
        return decoded
    found = list((example or {}).get("references", ()))
    if not found:
        raise UserError(
            "an example has no reference to compare with: GEM keeps those of some test splits. "
            "Evaluate on 'validation'."
        )
    return found


def _field(name: str) -> Callable[[Example], str]:
    return functools.partial(text, name=name)


def _reply(example: Example) -> str:
    return f"{text(example, 'prompt')} acts: {dialog_acts(example)}"


_ALL = ("train", "validation", "test")
_SAMPLES = (*_ALL, "challenge_train_sample", "challenge_validation_sample")
_SCRAMBLED = (*_SAMPLES, "challenge_test_scramble")
_NOISES = ("backtranslation", "bfp02", "bfp05", "nopunc")
_SIMPLER = (
    *(name for name in _SAMPLES if name != "test"),
    *("test_asset", "test_turk"),
    *(f"challenge_test_{half}_{noise}" for half in ("asset", "turk") for noise in _NOISES),
)
_XSUM = ("backtranslation", "bfp_02", "bfp_05", "nopunc", "covid")
_WIKI_LINGUA = (
    *("arabic_ar", "chinese_zh", "czech_cs", "dutch_nl", "english_en", "french_fr", "german_de"),
    *("hindi_hi", "indonesian_id", "italian_it", "japanese_ja", "korean_ko", "portuguese_pt"),
    *("russian_ru", "spanish_es", "thai_th", "turkish_tr", "vietnamese_vi"),
)
_OTHER_TARGETS = ("cs_restaurants", "mlsum_de", "mlsum_es", "web_nlg_ru")

CONFIGS: dict[str, tuple[str, Callable[[Example], str], tuple[str, ...]]] = {
    "common_gen": ("write a sentence with", joined("concepts", ", "), _SCRAMBLED),
    "cs_restaurants": ("say in Czech", _field("dialog_act"), _SCRAMBLED),
    "dart": ("describe", joined("tripleset", " | "), _ALL),
    "e2e_nlg": ("describe", _field("meaning_representation"), _SCRAMBLED),
    "mlsum_de": ("summarize", _field("text"), (*_SAMPLES, "challenge_test_covid")),
    "mlsum_es": ("summarize", _field("text"), (*_SAMPLES, "challenge_test_covid")),
    "schema_guided_dialog": (
        "reply to",
        _reply,
        (*_SCRAMBLED, *(f"challenge_test_{noise}" for noise in _NOISES)),
    ),
    "totto": ("describe", highlighted_cells, _SCRAMBLED),
    "web_nlg_en": (
        "describe",
        joined("input", "; "),
        (*_SCRAMBLED, "challenge_test_numbers"),
    ),
    "web_nlg_ru": ("describe in Russian", joined("input", "; "), _SCRAMBLED),
    "wiki_auto_asset_turk": ("simplify", _field("source"), _SIMPLER),
    "xsum": (
        "summarize",
        _field("document"),
        (*_SAMPLES, *(f"challenge_test_{noise}" for noise in _XSUM)),
    ),
    **{
        f"wiki_lingua_{language}": ("summarize", _field("source"), _ALL)
        for language in _WIKI_LINGUA
    },
}
"""What inputs begin with, the data, and the splits of each configuration."""

_SOURCES = {
    name: TfdsDataSource(f"gem/{name}:1.0.1|1.1.0", splits)
    for name, (_, _, splits) in CONFIGS.items()
}

for _prefix, _features in (("", T5_FEATURES), ("mt5_", MT5_FEATURES)):
    for _name, (_start, _describe, _) in CONFIGS.items():
        _rouge = functools.partial(ROUGE, any_script=True) if _name in _OTHER_TARGETS else ROUGE
        TaskRegistry.add(
            f"{_prefix}gem_{_name}",
            source=_SOURCES[_name],
            preprocessors=[gem(_start, _describe)],
            output_features=_features,
            postprocess_fn=references,
            metric_fns=[metrics.bleu, _rouge],
        )
