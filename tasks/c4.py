"""C4, the Colossal Clean Crawled Corpus (Raffel et al., arXiv 1910.10683, section 2.2).

Under every objective of the paper: `c4_v220_span_corruption`, `c4_v220_bert_style`, ...; likewise
without cleaning (`c4_noclean_v020_…`), from the domains of RealNews and from the pages of WebText
(table 8). T5's version is 2.2.0; TFDS can now only prepare 3.1.0, of the same crawl. Text: Common
Crawl, by TFDS (ODC-BY); preparing needs Apache Beam and days of many machines.
"""

import dataclasses

from t2t_tasks.t5_features import T5_FEATURES
from t2t_tasks.t5_objectives import add_corpus, add_text

from t2t.data.objectives import PrefixLanguageModel, PrefixLanguageModelDecoder
from t2t.data.sources import TfdsDataSource


def c4(config: str) -> TfdsDataSource:
    """One of TFDS's configurations: "en", "en.noclean", "realnewslike" or "webtextlike"."""
    return TfdsDataSource(f"c4/{config}:2.2.0|3.0.1|3.1.0", ("train", "validation"))


add_corpus("c4_v220", c4("en"), unsupervised="c4_v020_unsupervised")
for _name, _config in {
    "c4_noclean_v020": "en.noclean",
    "c4_realnewslike_v020": "realnewslike",
    "c4_webtextlike_v020": "webtextlike",
}.items():
    add_corpus(_name, c4(_config), unsupervised=f"{_name}_unsupervised")

# Prefix language modelling of rows that run on from document to document; not in the paper. T5
# packs rows itself, here the converters do.
_open = {"inputs": dataclasses.replace(T5_FEATURES["inputs"], add_eos=False)}
add_text(
    "c4_prefix_lm_objective_encoder_decoder_architecture",
    c4("en"),
    PrefixLanguageModel(merge_documents=True),
)
add_text(
    "c4_prefix_lm_objective_decoder_architecture",
    c4("en"),
    PrefixLanguageModelDecoder(),
    {**_open, "targets": T5_FEATURES["targets"]},
)
