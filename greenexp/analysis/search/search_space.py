"""Whether the search space was large enough, and how far ahead the best configurations are.

`bounds_hit`: where the best configurations crowd at an end of what was searched, something better may lie beyond. Of N
configurations with a mean score let the best be the first k = ceil(N / 10), and M of the N lie within 5 % of the end,
on the distribution's own scale (a logarithmic one for loguniform; for numbers in a list only the last number is at its
end; for whole numbers the last is always among those near). Were the parameter of no influence, the k best would be any
k of the N, so that the number X of them near that end were hypergeometric,

    by_chance = P(X >= near) = sum_{x >= near} C(M, x) C(N - M, k - x) / C(N, k).

It is for one end of one parameter: with many parameters some end is near by chance. For a parameter with conditions N
are the configurations that have it.

`leaders`: how far each is behind the best, with the interval and verdict of `analysis.comparing.lead_of_sweep`. The
best was chosen by the same scores, which makes its lead too large.

Assumptions: none on how configurations were chosen, except by a search that looks at earlier results, which crowds
wherever it believes the best to be. A configuration whose seeds were all stopped early counts with its best so far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from greenexp.analysis.comparing.lead_of_sweep import leads_over
from greenexp.analysis.numbers.rounding import SHARE_ROUNDING
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.records.search_space import Choice, Distribution, Int
from greenexp.records.tables import PARAMS, SweepTables

BOUND_COLUMNS = (
    "parameter", "scale", "end", "bound", "configurations", "near_all", "best", "near", "leader_near", "hit",
    "by_chance",
)  # fmt: skip
LEADER_COLUMNS = (
    "rank", "configuration", "score_mean", "score_std", "seeds", "behind", "error", "lower", "upper", "verdict",
)  # fmt: skip
NEAR = 0.05
BEST_SHARE = 0.1
_FEWEST_CHOICES = 3
_MOST, _OFTENER = 0.5, 2.0


class _End(NamedTuple):
    """One end of a searched parameter; near: [N], which configurations lie at it."""

    scale: str
    end: str
    bound: float
    near: NDArray[np.bool_]


def bounds_hit(tables: SweepTables) -> pd.DataFrame:
    """How many of the best configurations lie at each end of each searched numeric parameter; see the module.

    A row per parameter and end: parameter; scale (`uniform`, `loguniform`, `int` or `choice`); end (`low`, `high`);
    bound, its value; configurations N; near_all M; best k; near; leader_near, whether the very best is; hit, whether
    at least half of the best are, and at least twice the share of all; by_chance. Words, truth values and lists of
    fewer than three numbers have no ends.
    Empty without a configuration that has a mean, and for parameters without a distribution (listed points).
    """
    ranked = ranked_configurations(tables)
    rows: list[tuple[Any, ...]] = []
    for parameter, distribution in tables.spec.space.items():
        column = PARAMS + parameter
        if column not in ranked:
            continue
        values = (ranked[column].dropna() if distribution.when else ranked[column]).tolist()
        rows += [(parameter, *_crowding(end)) for end in (_ends(distribution, values) if values else ())]
    return pd.DataFrame(rows, columns=list(BOUND_COLUMNS))


def _crowding(end: _End) -> tuple[Any, ...]:
    """The columns of `bounds_hit` after the first, of one end."""
    total, near_all = len(end.near), int(end.near.sum())
    best = math.ceil(BEST_SHARE * total)
    found = int(end.near[:best].sum())
    chance = float(stats.hypergeom.sf(found - 1, total, near_all, best))
    hit = found / best >= _MOST and found / best >= _OFTENER * float(end.near.mean())
    return (end.scale, end.end, end.bound, total, near_all, best, found, bool(end.near[0]), hit, chance)


def leaders(tables: SweepTables, count: int = 5) -> pd.DataFrame:
    """The best `count` configurations and how far each is behind the first.

    rank from 1; configuration; `params.<path>`; score_mean, score_std over seeds; seeds; behind: the lead of the first
    over it, in the metric's unit, above 0 where the first is better; error, lower, upper: its standard error and
    interval; verdict: whether the two are told apart. The first is not behind: NaN, and no verdict.
    """
    top = ranked_configurations(tables).head(count)
    names = [str(name) for name in top["configuration"]]
    leads = leads_over(tables, names[0], names[1:]) if names else []
    of_first = [math.nan] if names else []
    numbers = {
        column: [*of_first, *(getattr(lead.interval, name) for lead in leads)]
        for column, name in (("behind", "lead"), ("error", "error"), ("lower", "lower"), ("upper", "upper"))
    }
    verdicts = [*([""] if names else []), *(str(lead.verdict) for lead in leads)]
    frame = top.assign(rank=np.arange(1, len(top) + 1), verdict=verdicts, **numbers)
    searched = [PARAMS + path for path in tables.parameters]
    return frame[[*LEADER_COLUMNS[:2], *searched, *LEADER_COLUMNS[2:]]].reset_index(drop=True)


def ranked_configurations(tables: SweepTables) -> pd.DataFrame:
    """The rows of `configuration_table` that have a mean, best first."""
    return configuration_table(tables).dropna(subset=["score_mean"]).reset_index(drop=True)


def _ends(distribution: Distribution, values: Sequence[Any]) -> list[_End]:
    """The two ends of a distribution, none if it has no order."""
    kind = distribution.dist
    if isinstance(distribution, Choice):
        listed = [float(value) for value in distribution.ends().values() if _is_number(value)]
        if len(listed) < max(_FEWEST_CHOICES, len(distribution.ends())):
            return []
        ends = (("low", min(listed)), ("high", max(listed)))
        return [_End(kind, end, bound, np.array([value == bound for value in values])) for end, bound in ends]
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, Int):  # which its steps may not reach
        high = low + (distribution.count() - 1) * distribution.step
    if high <= low:
        return []
    at = np.array(values, dtype=np.float64)
    part = np.log(at / low) / math.log(high / low) if kind == "loguniform" else (at - low) / (high - low)
    return [
        _End(kind, "low", low, part <= NEAR + SHARE_ROUNDING),
        _End(kind, "high", high, part >= 1 - NEAR - SHARE_ROUNDING),
    ]


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
