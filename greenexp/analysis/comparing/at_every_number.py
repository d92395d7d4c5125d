"""The probability that one group finds a better best than another, at every number of trials worth comparing."""

from __future__ import annotations

import itertools

import pandas as pd

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.numbers.rounding import tied
from greenexp.records.scores import Scores

COLUMNS = ("a", "b", "budget", "probability_better")
MOST_PAIRS = 6


def probabilities_better(scores: Scores) -> pd.DataFrame:
    """A row per pair of groups and n: a, b, budget (n), probability_better: P(best of n of a is better), a tie half.

    n goes up to half of the smallest group, as where pairs are tested: beyond, single scores decide. Of the first
    `MOST_PAIRS` pairs of groups that have a score.
    """
    known = {name: group.scored for name, group in scores.groups.items() if group.scored.size}
    values = dict(zip(known, tied(*known.values()), strict=True)) if known else {}
    most = max(1, min((each.size for each in values.values()), default=0) // 2)
    rows = [
        (a, b, n, probability_better(values[a], values[b], n, n, "unbiased", scores.minimize))
        for a, b in itertools.islice(itertools.combinations(values, 2), MOST_PAIRS)
        for n in range(1, most + 1)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
