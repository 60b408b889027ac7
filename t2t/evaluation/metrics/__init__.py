"""Metric functions: `(targets, predictions) -> {name: value}`, or `(targets, scores)`. No JAX here.

Names and scales are those of the t5 library, percentages but for `auc` and `edit_distance`;
ours alone, `exact_match` is a share from 0 to 1. Means over examples are `MeanMetric`s, which tell
the value of each; how others are resampled for confidence intervals is told by `resampled_by` or
`CorpusMetric`.
"""

from t2t.evaluation.metrics.base import CorpusMetric as CorpusMetric
from t2t.evaluation.metrics.base import MeanMetric as MeanMetric
from t2t.evaluation.metrics.base import mean_metric as mean_metric
from t2t.evaluation.metrics.classification import auc as auc
from t2t.evaluation.metrics.classification import f1_score_with_invalid as f1_score_with_invalid
from t2t.evaluation.metrics.classification import matthews_corrcoef as matthews_corrcoef
from t2t.evaluation.metrics.classification import mean_multiclass_f1 as mean_multiclass_f1
from t2t.evaluation.metrics.classification import score_auc as score_auc
from t2t.evaluation.metrics.classification import sklearn_metrics_wrapper as sklearn_metrics_wrapper
from t2t.evaluation.metrics.correlation import pearson_corrcoef as pearson_corrcoef
from t2t.evaluation.metrics.correlation import spearman_corrcoef as spearman_corrcoef
from t2t.evaluation.metrics.edits import edit_distance as edit_distance
from t2t.evaluation.metrics.groups import deduplicate_metric as deduplicate_metric
from t2t.evaluation.metrics.groups import mean_group_metric as mean_group_metric
from t2t.evaluation.metrics.groups import multirc_f1_over_all_answers as multirc_f1_over_all_answers
from t2t.evaluation.metrics.matching import accuracy as accuracy
from t2t.evaluation.metrics.matching import all_match as all_match
from t2t.evaluation.metrics.matching import exact_match as exact_match
from t2t.evaluation.metrics.matching import sequence_accuracy as sequence_accuracy
from t2t.evaluation.metrics.question_answering import coqa_f1 as coqa_f1
from t2t.evaluation.metrics.question_answering import span_squad as span_squad
from t2t.evaluation.metrics.question_answering import squad as squad
from t2t.evaluation.metrics.question_answering import trivia_qa as trivia_qa
from t2t.evaluation.metrics.ranking import rank_classification as rank_classification
from t2t.evaluation.metrics.summarization import rouge as rouge
from t2t.evaluation.metrics.summarization import rouge_mean as rouge_mean
from t2t.evaluation.metrics.translation import bleu as bleu
