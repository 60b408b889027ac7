"""Translation out of English, of the WMT's shared tasks from 2014 to 2019, as T5 writes it.

T5 itself is trained on `wmt_t2t`, German as in Tensor2Tensor (newstest2013 to validate, 2014 to
test), WMT15 French and WMT16 Romanian. Text: TFDS, http://www.statmt.org for licences.
"""

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.preprocessors import translate
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.evaluation import metrics

_ALL = ("train", "validation", "test")

for _year, _language, _splits in (
    ("14", "de", _ALL),
    ("14", "fr", _ALL),
    ("15", "fr", _ALL),
    ("16", "ro", _ALL),
    ("19", "de", _ALL[:2]),
    ("_t2t", "de", _ALL),
):
    TaskRegistry.add(
        f"wmt{_year}_en{_language}_v003",
        source=TfdsDataSource(f"wmt{_year}_translate/{_language}-en:1.0.0", _splits),
        preprocessors=[translate("en", _language)],
        output_features=T5_FEATURES,
        metric_fns=[metrics.bleu],
    )
