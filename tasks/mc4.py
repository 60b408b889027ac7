"""mC4, the web in 101 languages, as mT5 and ByT5 are pretrained on it.

Xue et al., arXiv 2010.11934 and 2105.13626, section 3 of each. Text: Common Crawl, through TFDS
(ODC-BY). Tasks and mixtures are named as theirs, "mc4.bg_Latn" and "mc4", in bytes "byt5_mc4". Six
of the languages are there in Latin script, too.
"""

import functools

from t2t_tasks.t5_features import BYT5_FEATURES, MT5_FEATURES

from t2t.data.mixtures import mixing_rate_num_examples
from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import rekey
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.data.unimax import UniMax

_LANGUAGES = """
    af am ar az be bg bg-Latn bn ca ceb co cs cy da de el el-Latn en eo es et eu fa fi fil fr fy ga
    gd gl gu ha haw hi hi-Latn hmn ht hu hy id ig is it iw ja ja-Latn jv ka kk km kn ko ku ky la lb
    lo lt lv mg mi mk ml mn mr ms mt my ne nl no ny pa pl ps pt ro ru ru-Latn sd si sk sl sm sn so
    sq sr st su sv sw ta te tg th tr uk ur uz vi xh yi yo zh zh-Latn zu
"""
LANGUAGES = tuple(_LANGUAGES.split())

# Shares p ** 0.3 of languages with a share p of the pages (mT5, section 3.2).
_PROPORTIONAL = functools.partial(mixing_rate_num_examples, temperature=1 / 0.3)

UNIMAX_PAGES = 1.05e9
"""umT5's budget, 10**12 tokens, in pages: mC4 has 6.6e9 of 6.3e12 tokens (mT5, table 6)."""

# Spans of 3 tokens, or of 20 bytes, which is as hard (ByT5, section 3.1).
for _prefix, _features, _span in (("", MT5_FEATURES, 3.0), ("byt5_", BYT5_FEATURES, 20.0)):
    _names = [f"{_prefix}mc4.{language.replace('-', '_')}" for language in LANGUAGES]
    for _name, _language in zip(_names, LANGUAGES, strict=True):
        TaskRegistry.add(
            _name,
            source=TfdsDataSource(
                # mT5's 3.0.1 can be read, but no longer be prepared.
                "c4/multilingual:3.0.1|3.1.0",
                {"train": _language, "validation": f"{_language}-validation"},
            ),
            preprocessors=[rekey({"targets": "text"})],
            objective=SpanCorruption(noise_density=0.15, mean_noise_span_length=_span),
            output_features=_features,
        )
    MixtureRegistry.add(f"{_prefix}mc4", _names, default_rate=_PROPORTIONAL)
    MixtureRegistry.add(
        f"{_prefix}mc4_unimax", _names, default_rate=UniMax(_names, budget=UNIMAX_PAGES)
    )
