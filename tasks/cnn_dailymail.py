"""CNN/Daily Mail, news articles and their highlights (Nallapati et al., arXiv 1602.06023).

Not anonymised (See et al., arXiv 1704.04368), as T5 writes it. Text: TFDS.
"""

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.preprocessors import summarize
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.evaluation import metrics

TaskRegistry.add(
    "cnn_dailymail_v002",
    source=TfdsDataSource("cnn_dailymail:3.4.0", ("train", "validation", "test")),
    preprocessors=[summarize("article", "highlights")],
    output_features=T5_FEATURES,
    metric_fns=[metrics.rouge],
)
