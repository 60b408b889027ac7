"""English Wikipedia under every objective of the T5 paper (arXiv 1910.10683, table 8).

T5's dump of March 2019 is no longer published: TFDS reads what was prepared from it before, such as
the copy in its own storage. That of June 2023 is prepared from the source, with Apache Beam.
Text: CC BY-SA 4.0.
"""

from t2t_tasks.t5_objectives import add_corpus

from t2t.data.sources import TfdsDataSource

for _corpus, _config in {
    "wikipedia_20190301.en_v003": "20190301.en",
    "wikipedia_20230601.en": "20230601.en",
}.items():
    add_corpus(
        _corpus,
        TfdsDataSource(f"wikipedia/{_config}:1.0.0", ("train",)),
        unsupervised=f"{_corpus}_unsupervised",
    )
