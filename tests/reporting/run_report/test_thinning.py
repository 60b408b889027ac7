import numpy as np
import pytest

from t2t.reporting.run_report.log_reader import Series
from t2t.reporting.run_report.thinning import thin


def test_few_points_stay_as_they_are():
    series = Series(np.arange(10), np.arange(10.0))
    assert thin(series, 10) == (series, None)


@pytest.mark.parametrize("most", [16, 100, 700])
def test_extremes_and_ends_stay(most):
    rng = np.random.default_rng(0)
    values = rng.normal(size=50_000)
    values[[12_345, 40_000]] = 100.0, -100.0
    series = Series(np.arange(50_000) * 5, values)
    points, means = thin(series, most)
    assert most / 2 < len(points.steps) <= most
    assert (np.diff(points.steps) > 0).all()
    assert points.steps[[0, -1]].tolist() == [0, 249_995]
    assert (points.values.max(), points.values.min()) == (100.0, -100.0)
    np.testing.assert_array_equal(points.values, values[points.steps // 5])
    assert len(means.steps) == most // 2 - 1
    assert np.average(means.values) == pytest.approx(values.mean(), abs=1e-3)


def test_what_is_not_a_number_is_seen_only_alone():
    values = np.zeros(1000)
    values[500:] = np.nan
    values[7] = np.nan
    points, means = thin(Series(np.arange(1000), values), 20)
    assert np.isfinite(points.values[points.steps < 490]).all()
    assert np.isnan(points.values[points.steps > 500]).all()
    assert np.isfinite(means.values).all()
