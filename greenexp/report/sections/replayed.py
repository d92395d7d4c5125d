"""What the sections about replayed logits have in common: whose they are, and why there may be none."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.sweeps.chosen import ChosenTrials
from greenexp.records.tables import SweepTables
from greenexp.report.sections.wording import counted


def whose(chosen: ChosenTrials, table: pd.DataFrame) -> str:
    """`the 2 seeds of c003, the chosen configuration`: those of the chosen trials that a table has."""
    present = [trial for trial in chosen.trials if trial in set(table["trial"])]
    if not chosen.configuration:
        return f"{present[0]}, the best single trial, as no configuration has ended with a score from all its seeds"
    whole = len(present) == len(chosen.trials)
    part = f"the {counted(len(present), 'seed')}" if whole else f"{len(present)} of the {len(chosen.trials)} seeds"
    return f"{part} of {chosen.configuration}, the chosen configuration"


def nothing_replayed(tables: SweepTables, chosen: ChosenTrials, what: str) -> str:
    """Why there is no `what`, in one sentence."""
    if not chosen.trials:
        return f"No {what}: no trial that did not fail has a score yet."
    whom = f"the seeds of {chosen.configuration}" if chosen.configuration else chosen.trials[0]
    remarks = [str(remark) for remark in (tables.remarks.operating_points, *(tables.remarks.replay))
               if remark]  # fmt: skip
    why = f" ({'; '.join(remarks)})" if remarks else ""
    return f"No {what}: for {whom} there are no stored dev logits of a classification that could be replayed{why}."
