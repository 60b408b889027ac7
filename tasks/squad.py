"""SQuAD v1.1 (Rajpurkar et al., arXiv 1606.05250) in the forms of T5 (arXiv 1910.10683, app. D).

With its paragraph, as a closed-book question, and with the places of the answer's first and last
word. Text: Wikipedia, by TFDS (CC BY-SA 4.0).
"""

from typing import Any

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.preprocessors import squad, squad_span_space_tokenized
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.evaluation import metrics, postprocessors


def first_answer(decoded: str, example: Any = None, is_target: bool = False) -> str | list[str]:
    """The prediction as it is, or the target as the only answer."""
    return [decoded] if is_target else decoded


_squad = TfdsDataSource("squad/v1.1:3.0.0", ("train", "validation"))

TaskRegistry.add(
    "squad_v010_allanswers",
    source=_squad,
    preprocessors=[squad()],
    output_features=T5_FEATURES,
    postprocess_fn=postprocessors.qa,
    metric_fns=[metrics.squad],
)
TaskRegistry.add(
    "squad_v010_context_free",
    source=_squad,
    preprocessors=[squad(include_context=False)],
    output_features=T5_FEATURES,
    postprocess_fn=postprocessors.qa,
    metric_fns=[metrics.squad],
)
TaskRegistry.add(
    "squad_v010_allanswers_span",
    source=_squad,
    preprocessors=[squad_span_space_tokenized],
    output_features=T5_FEATURES,
    postprocess_fn=postprocessors.span_qa,
    metric_fns=[metrics.span_squad],
)
TaskRegistry.add(
    "squad_v010",
    source=_squad,
    preprocessors=[squad()],
    output_features=T5_FEATURES,
    postprocess_fn=first_answer,
    metric_fns=[metrics.squad],
)
