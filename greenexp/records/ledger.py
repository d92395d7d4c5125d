"""The budget ledger as a table: what was used on every axis, what of it was lost, and what was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from greenexp.records.axes import AXES
from greenexp.records.tables import SweepFacts, typed_frame
from greenexp.records.totals import CostTotals

_COUNTED = ("trials", "epochs", "wall_s")


def ledger(facts: SweepFacts, epochs: pd.DataFrame) -> pd.DataFrame:
    """One row per budget axis: axis, unit, used, limit, lost, reason.

    used: over all reports, and over epochs that failed as far as the worker could still tell; `wall_s` is the sweep's
        elapsed time, as its limit is
    lost: of it, what was paid for epochs that failed or were trained again (for `wall_s` in worker seconds, which are
        more than elapsed ones where several workers run); NaN if it is not known on this axis
    reason: why an axis, or a part of it, was not measured
    """
    limits = facts.spec.budget.limits()
    unmeasured = {} if facts.epochs else _not_measurable(facts)
    reasons = _reasons(facts) | unmeasured
    broken = sum(trial.broken for trial in facts.trials)
    spent = CostTotals.of((report.record.costs for report in facts.epochs), (trial.lost for trial in facts.trials))
    rows = []
    for axis in AXES.values():
        used, lost = _used(axis.name, facts, spent), _lost(axis.name, facts, epochs)
        why = reasons.get(axis.name, "")
        if broken and axis.name not in _COUNTED:
            lost = np.nan
            left_out = f"without {broken} epoch(s) under way of attempts that broke off or failed"
            why = why if axis.name in unmeasured else "; ".join(filter(None, (why, left_out)))
        row = {"axis": axis.name, "unit": axis.unit, "used": used, "limit": limits.get(axis.name)}
        rows.append({**row, "lost": lost, "reason": why})
    return typed_frame("ledger", rows)


def _reasons(facts: SweepFacts) -> dict[str, str]:
    """Axis -> why it, or (`energy_j.cpu_package`) which part of it, was not measured in some report."""
    found: dict[str, dict[str, str]] = {}
    for report in facts.epochs:
        for name, why in report.record.not_measured.items():
            axis, _, part = name.partition(".")
            if not part and getattr(report.record.costs, axis, None) is not None:
                continue
            found.setdefault(axis, {})[part] = f"without {part}: {why}" if part else why
    return {axis: "; ".join(parts.values()) for axis, parts in found.items()}


def _not_measurable(facts: SweepFacts) -> dict[str, str]:
    """Axis -> why it cannot be measured where the last driver was at work, as far as that is on record."""
    told: Mapping[str, Any] = next(
        (one["measured"] for one in reversed(facts.history.sessions) if "measured" in one), {}
    )
    return {axis: str(why) for axis, (can_be, why) in told.items() if not can_be}


def _used(axis: str, facts: SweepFacts, spent: CostTotals) -> float:
    if axis == "trials":
        return float(sum(trial.started for trial in facts.trials))
    if axis == "epochs":
        return len(facts.epochs) / facts.spec.training.reports_per_epoch
    if axis == "wall_s":
        return np.nan if facts.history.elapsed_s is None else facts.history.elapsed_s
    total = spent.total(axis)
    return np.nan if total is None else total


def _lost(axis: str, facts: SweepFacts, epochs: pd.DataFrame) -> float:
    if axis == "trials":
        return np.nan
    if axis == "epochs":
        return float(epochs["repeated"].sum()) / facts.spec.training.reports_per_epoch
    again = epochs.loc[epochs["repeated"], axis]
    if axis == "wall_s":
        return float(again.sum()) + sum(trial.lost_wall_s for trial in facts.trials)
    told = [trial.lost[axis] for trial in facts.trials if axis in trial.lost]
    measured = epochs[axis].notna().all() and bool(len(epochs) or told)
    return float(again.sum()) + sum(told) if measured else np.nan
