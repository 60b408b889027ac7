"""Classification by the likelihood that the model gives to the text of each class."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from t2t.errors import UserError
from t2t.evaluation.metrics.base import check_pairs, resampled_by
from t2t.evaluation.metrics.classification import auc, f1_score_with_invalid, mean_multiclass_f1
from t2t.evaluation.metrics.counting import area_values, f1_values, margins
from t2t.evaluation.resampling import Resampling, Values, of_means


class _Ranked(NamedTuple):
    """What was chosen for each example.

    Attributes:
      weights: `[examples]`.
      hits: `[examples]`, 1 where a right class was chosen.
      chosen: `[examples]`, numbers of classes.
      labels: `[examples]`, the right classes; None unless there is one of `num_classes` each.
      margins: `[examples]`, by how much class 1 is likelier than 0; None unless those are all.
    """

    weights: np.ndarray
    hits: np.ndarray
    chosen: np.ndarray
    labels: np.ndarray | None
    margins: np.ndarray | None


def _resampling(
    targets: Sequence[Sequence[Any]],
    scores: Sequence[float],
    num_classes: int | None = None,
    normalize_by_target_length: bool = False,
) -> Resampling:
    ranked = _rank(targets, scores, num_classes, normalize_by_target_length)
    accuracy = of_means({"accuracy": 100.0 * ranked.hits}, ranked.weights)
    if ranked.labels is None or num_classes is None:
        return accuracy
    classes = ranked.labels
    statistics = margins(classes, ranked.chosen, range(num_classes), ranked.weights.tolist())

    def compute(counts: np.ndarray) -> Values:
        values = dict(accuracy.compute(counts))
        f1 = 100.0 * f1_values(counts @ statistics)
        if ranked.margins is None:
            return values | {f"mean_{num_classes}class_f1": f1.mean(axis=1)}
        areas = area_values(counts, classes, ranked.margins, ranked.weights.tolist())
        return values | {"f1": f1[:, 1]} | {name: 100.0 * a for name, a in areas.items()}

    return Resampling(accuracy.units, compute)


@resampled_by(_resampling)
def rank_classification(
    targets: Sequence[Sequence[Any]],
    scores: Sequence[float],
    num_classes: int | None = None,
    normalize_by_target_length: bool = False,
) -> dict[str, float]:
    """Accuracy in percent of choosing the class of the highest score, and more where possible.

    Where each example has `num_classes` classes and exactly one is right, also the F1 of class 1
    and the areas under its curves ("f1", "auc-roc", "auc-pr") for two of them, and
    "mean_<n>class_f1" for more. Where several are right, any of them will do.

    Args:
      targets: `((example, class), is_correct, weight, target length)` for each class of each
        example, in any order, as the postprocessor of the same name gives them.
      scores: log-likelihoods of the targets.
      num_classes: None if examples differ in it.
      normalize_by_target_length: divides scores by the number of target tokens.

    Raises:
      UserError: if targets have another form, or an example another number of classes.
    """
    ranked = _rank(targets, scores, num_classes, normalize_by_target_length)
    metrics = {"accuracy": 100.0 * float(np.average(ranked.hits, weights=ranked.weights))}
    if ranked.labels is None or num_classes is None:
        return metrics
    labels, weights = ranked.labels.tolist(), ranked.weights.tolist()
    chosen = ranked.chosen.tolist()
    if ranked.margins is None:
        mean_f1 = mean_multiclass_f1(num_classes, sample_weight=weights)
        return metrics | mean_f1(labels, chosen)
    metrics |= f1_score_with_invalid(labels, chosen, sample_weight=weights)
    areas = auc(labels, ranked.margins.tolist(), sample_weight=weights)
    return metrics | {name: 100.0 * area for name, area in areas.items()}


def _rank(
    targets: Sequence[Sequence[Any]],
    scores: Sequence[float],
    num_classes: int | None,
    normalize_by_target_length: bool,
) -> _Ranked:
    check_pairs("rank_classification", targets, scores)
    _check_form(targets[0])
    if np.isnan(scores).any():
        raise UserError("metric rank_classification was given scores that are NaN.")
    if normalize_by_target_length:
        scores = [score / target[3] for score, target in zip(scores, targets, strict=True)]
    ranked = sorted(zip(targets, scores, strict=True), key=lambda pair: tuple(pair[0][0]))
    groups = [list(g) for _, g in itertools.groupby(ranked, key=lambda pair: pair[0][0][0])]
    if num_classes is not None:
        _check_num_classes(groups, num_classes)
    right = [[bool(target[1]) for target, _ in group] for group in groups]
    by_class = [[float(score) for _, score in group] for group in groups]
    chosen = [int(np.argmax(values)) for values in by_class]
    hits = [float(flags[choice]) for flags, choice in zip(right, chosen, strict=True)]
    has_one = num_classes is not None and all(sum(flags) == 1 for flags in right)
    labels = np.array([flags.index(True) for flags in right]) if has_one else None
    margins = None
    if has_one and num_classes == 2:
        # Rounded to float32, so that differences equal but for rounding errors are ties.
        margins = np.array([second - first for first, second in by_class], np.float32)
    weights = np.array([float(group[0][0][2]) for group in groups])
    return _Ranked(weights, np.array(hits), np.array(chosen), labels, margins)


def _check_form(target: Sequence[Any]) -> None:
    if len(target) < 4:
        raise UserError(f"`targets` should contain 4 elements but has {len(target)}.")
    if not hasattr(target[0], "__len__") or len(target[0]) != 2:
        raise UserError(
            f"The first element of `targets` ('idx') should be 2-dimensional. Got {target[0]}."
        )


def _check_num_classes(groups: Sequence[Sequence[Any]], num_classes: int) -> None:
    for group in groups:
        if len(group) != num_classes:
            raise UserError(
                f"rank_classification was told of {num_classes} classes, but example "
                f"{group[0][0][0][0]} has {len(group)}; give num_classes=None if they differ."
            )
