"""The unsupervised objectives of the T5 paper by name, and the tasks of a corpus under each.

Sections and tables are those of Raffel et al., arXiv 1910.10683; docs/objectives.md has lengths.
"""

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.features import Feature
from t2t.data.objectives import (
    BertStyle,
    Deshuffling,
    DropCorruptedTokens,
    FullLanguageModel,
    IidDenoising,
    LanguageModel,
    MassStyle,
    Objective,
    PrefixLanguageModel,
    SpanCorruption,
)
from t2t.data.preprocessors import rekey
from t2t.data.registry import TaskRegistry
from t2t.data.sources import DataSource

OBJECTIVES: dict[str, Objective] = {
    "span_corruption": SpanCorruption(),  # T5's own
    **{
        f"span_corruption_{length}": SpanCorruption(mean_noise_span_length=length)
        for length in (2, 5, 10)  # table 7
    },
    "iid_denoising": IidDenoising(),  # the paper's baseline
    **{
        f"iid_denoising_{percent}": IidDenoising(noise_density=percent / 100)
        for percent in (10, 25, 50)  # table 6; the last two need short inputs or more sentinels
    },
    "prefix_lm": PrefixLanguageModel(),  # tables 2 and 4
    "bert_style": BertStyle(),
    "deshuffling": Deshuffling(),
    "mass_style": MassStyle(),  # table 5
    "drop_corrupted_tokens": DropCorruptedTokens(),
    "lm": LanguageModel(),  # table 2; of the targets alone, as the next
    "full_lm": FullLanguageModel(),  # the same with ends of documents
}


def add_corpus(corpus: str, source: DataSource, unsupervised: str | None = None) -> None:
    """Registers `{corpus}_{objective}` for each objective.

    Args:
      corpus: name of the text.
      source: of it, in the field "text".
      unsupervised: name of one more task, under span corruption, which stands for whatever T5's gin
        files put there.
    """
    for name, objective in OBJECTIVES.items():
        add_text(f"{corpus}_{name}", source, objective)
    if unsupervised:
        add_text(unsupervised, source, OBJECTIVES["span_corruption"])


def add_text(
    name: str, source: DataSource, objective: Objective, features: dict[str, Feature] | None = None
) -> None:
    """Registers one task of a corpus."""
    made = features or {key: T5_FEATURES[key] for key in objective.task_features}
    TaskRegistry.add(
        name,
        source=source,
        preprocessors=[rekey({"targets": "text"})],
        objective=objective,
        output_features=made,
    )
