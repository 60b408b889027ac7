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


_source = TfdsDataSource("squad/v1.1:3.0.0", ("train", "validation"))
_FORMS = {
    "squad_v010_allanswers": (squad(), postprocessors.qa, metrics.squad),
    "squad_v010_context_free": (squad(include_context=False), postprocessors.qa, metrics.squad),
    "squad_v010_allanswers_span": (
        squad_span_space_tokenized,
        postprocessors.span_qa,
        metrics.span_squad,
    ),
    "squad_v010": (squad(), first_answer, metrics.squad),
}

for _name, (_preprocessor, _postprocess_fn, _metric_fn) in _FORMS.items():
    TaskRegistry.add(
        _name,
        source=_source,
        preprocessors=[_preprocessor],
        output_features=T5_FEATURES,
        postprocess_fn=_postprocess_fn,
        metric_fns=[_metric_fn],
    )
