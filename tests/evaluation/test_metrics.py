from t2t.evaluation.metrics import exact_match


def test_exact_match():
    assert exact_match(["a", "b", "c", "d"], ["a", "B", "c", ""]) == {"exact_match": 0.5}
    assert exact_match([], []) == {"exact_match": 0.0}
