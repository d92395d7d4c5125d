"""The table of `greenexp compare --target`: what it takes each group to find a score this good."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.curves.target import budget_to_reach
from greenexp.cli.remarks import note
from greenexp.cli.score_tables import ScoreTable


def reaching(table: ScoreTable, target: float, confidence: float) -> pd.DataFrame:
    """Rows per group: on average, and with 50 % and 90 % probability, so many trials and so much cost, with intervals.

    A trial without a score misses the target. Of a group that never reached it: `at_least_trials`, on average.
    """
    frames = []
    for name, group in table.groups.items():
        if not group.scores.size:
            continue
        found = budget_to_reach(group.scores, target, group.costs, confidence, table.minimize)
        rows = found.table if found.hits else found.table.iloc[:1]
        rows = rows.assign(group=name, of_trials=found.trials, hits=found.hits)
        rows["at_least_trials"] = float("nan") if found.hits else found.at_least_trials
        if table.cost is not None:
            rows["at_least_cost"] = float("nan") if found.hits else found.at_least_cost
        frames.append(rows)
        note(f"{name}: {found.summary}")
    frame = pd.concat(frames, ignore_index=True)
    costs = [column for column in frame if "cost" in str(column)]
    first = ["group", "of_trials", "hits", "quantity", "trials", "trials_lower", "trials_upper", "at_least_trials"]
    return frame[first + (costs if table.cost is not None else [])]
