"""The result of a sweep in one sentence, with how sure it is."""

from __future__ import annotations

import math

from greenexp.analysis.comparing.lead import LeadVerdict
from greenexp.analysis.comparing.lead_of_sweep import FEWER, Lead, lead_of_best
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.tables import SweepTables
from greenexp.report.sections.wording import mean_and_std


def result_sentence(tables: SweepTables) -> str:
    """Which configuration is best, and whether it is told apart from the next."""
    metric, ranked = metric_of(tables), configuration_table(tables).dropna(subset=["score_mean"])
    if ranked.empty:
        return "No configuration has ended with a score from all its seeds, so there is no result yet."
    first, seeds = ranked.iloc[0], tables.spec.seeds
    lead = lead_of_best(tables)
    if lead is None:
        spread = mean_and_std(first["score_mean"], first["score_std"], int(first["seeds"]), seeds)
        what = "with a score" if tables.history.complete else "whose seeds have ended"
        return f"{first['configuration']} is the only configuration {what}: {metric.label} {spread}."
    whose = "" if tables.history.complete else " whose seeds have ended"
    return f"{lead.first} is the best of {len(ranked)} configurations{whose}, {_certainty(lead)}."


def _certainty(lead: Lead) -> str:
    gap = abs(lead.interval.lead)
    ahead = f"{lead.bound} {gap:.4f}".strip()
    begin = f"{ahead} ahead of {lead.second}" if gap else f"with the same score as {lead.second}"
    if lead.reason == FEWER:
        begin = f"though {gap:.4f} behind {lead.second} on the seeds that both have"
    between = ""
    if not math.isnan(lead.interval.error):
        ends = f"{lead.interval.lower:.4f} to {lead.interval.upper:.4f}"
        between = f" ({100 * lead.interval.confidence:g} % interval {ends})"
    if lead.verdict is LeadVerdict.UNKNOWN:
        return f"{begin}{between}; whether it is really better cannot be told"
    return f"{begin}{between}: {lead.verdict}"
