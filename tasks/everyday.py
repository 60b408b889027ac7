"""`everyday`: text and tasks of many kinds from packages, in bytes; `gin/runs/everyday_cpu.gin`.

Rates count examples, which have from 30 to 460 bytes: they are set so that of the bytes trained on
a tenth are plain text, and each task has what a small model can use in an hour; words, which it can
learn, are two examples of three and a fifth of the bytes.
"""

from t2t.data.registry import MixtureRegistry

RATES = {
    "debian_text": 2.0,
    "debian_synopsis": 4.0,
    "debian_section": 3.0,
    "debian_en_de": 2.0,
    "debian_en_fr": 2.0,
    "debian_en_it": 4.0,
    "debian_en_da": 4.0,
    "libreoffice_de_en_bytes": 6.0,
    "reuters_bytes": 2.0,
    "newsgroups": 2.0,
    "movie_reviews_bytes": 2.0,
    "trivia": 1.0,
    "spelling": 27.0,
    "inflection": 7.0,
    "pronunciation": 27.0,
    "german_plural": 9.0,
    "bible_modern": 3.0,
    "ukrainian_correction": 1.0,
}

MixtureRegistry.add("everyday", list(RATES.items()))
