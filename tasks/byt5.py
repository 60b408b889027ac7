"""Byte versions of tasks and mixtures: `byt5_glue_cola_v002`, `byt5_all_proportional`.

Of all in `tasks/` that are in a published vocabulary of pieces, T5's or mT5's; what is there in
both, `xsum` and `mt5_xsum`, once: `byt5_xsum`. Spans of 3 pieces become spans of 20 bytes (ByT5:
Xue et al., arXiv 2105.13626, section 3.1).
"""

import dataclasses

from t2t_tasks.t5_features import BYT5_VOCABULARY

from t2t.data.mixtures import Mixture
from t2t.data.objectives import Objective, SpanCorruption
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.tasks import Task
from t2t.data.vocabularies import PublishedVocabulary

PREFIX, OTHER_PREFIX = "byt5_", "mt5_"
BYTES_PER_SPAN = 20.0


def in_pieces(item: Task | Mixture) -> bool:
    """Whether all its features are in T5's or mT5's vocabulary."""
    features = item.output_features.values()
    return all(isinstance(feature.vocabulary, PublishedVocabulary) for feature in features)


def in_bytes(item: Task | Mixture) -> Task | Mixture:
    """The registered byte version, made if there is none yet."""
    name = f"{PREFIX}{item.name}"
    if isinstance(item, Mixture):
        parts = tuple((in_bytes(part), rate) for part, rate in item.parts)
        made = MixtureRegistry.maybe_get(name)
        return made or MixtureRegistry.add_provider(name, Mixture(name, parts))
    if made := TaskRegistry.maybe_get(name):
        return made
    features = {
        key: dataclasses.replace(feature, vocabulary=BYT5_VOCABULARY)
        for key, feature in item.output_features.items()
    }
    task = item.replace(name=name, output_features=features, objective=of_bytes(item.objective))
    return TaskRegistry.add_provider(name, task)


def of_bytes(objective: Objective | None) -> Objective | None:
    """T5's span corruption with longer spans; other objectives as they are."""
    if objective == SpanCorruption():
        return SpanCorruption(mean_noise_span_length=BYTES_PER_SPAN)
    return objective


for _registry in (TaskRegistry, MixtureRegistry):  # `names` imports all of tasks/ first
    for _name in _registry.names():
        if not _name.startswith(OTHER_PREFIX) and in_pieces(_registry.get(_name)):
            in_bytes(_registry.get(_name))
