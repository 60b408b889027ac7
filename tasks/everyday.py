"""`everyday`: text and tasks of many kinds from packages, in bytes; `gin/runs/everyday_cpu.gin`.

Rates are shares of what is trained on, not of what there is: more for what a small model can learn
in an hour and for what needs much practice, less for small sets.
"""

from t2t.data.registry import MixtureRegistry

RATES = {
    "debian_text": 2.0,
    "debian_synopsis": 2.0,
    "debian_section": 2.0,
    "debian_en_de": 0.5,
    "debian_en_fr": 0.5,
    "debian_en_it": 1.0,
    "debian_en_da": 1.0,
    "libreoffice_de_en_bytes": 2.0,
    "reuters_bytes": 1.0,
    "newsgroups": 1.0,
    "movie_reviews_bytes": 0.5,
    "trivia": 0.5,
    "spelling": 3.0,
    "inflection": 1.0,
    "pronunciation": 3.0,
    "german_plural": 3.0,
    "bible_modern": 2.0,
    "ukrainian_correction": 1.0,
}

MixtureRegistry.add("everyday", list(RATES.items()))
