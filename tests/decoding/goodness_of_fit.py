"""Do drawn samples follow a distribution?"""

import collections
import math

from scipy.special import chdtrc


def p_value(samples, probabilities):
    """Of Pearson's chi-square test; what is expected fewer than 5 times counts as one outcome.

    0 if something comes that cannot.
    """
    counts = collections.Counter(samples)
    total = sum(counts.values())
    if not set(counts) <= set(probabilities):
        return 0.0
    assert math.isclose(sum(probabilities.values()), 1.0, rel_tol=1e-5)
    cells = collections.defaultdict(lambda: [0.0, 0.0])
    for outcome, probability in probabilities.items():
        cell = cells[outcome if probability * total >= 5 else "rare"]
        cell[0] += counts[outcome]
        cell[1] += probability * total
    statistic = sum((seen - expected) ** 2 / expected for seen, expected in cells.values())
    return chdtrc(len(cells) - 1, statistic)
