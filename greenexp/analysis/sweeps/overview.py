"""Where a sweep stands: what ran, what it used of each budget axis against limit and price, what is best so far."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.axes import AXES
from greenexp.records.priced import PriceFact, recorded_price
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.units import format_quantity

BUDGET_COLUMNS = (
    "axis", "title", "unit", "used", "limit", "share", "price_low", "price_expected", "price_high", "reason",
)  # fmt: skip
_GOING_ON = ("running", "paused", "interrupted")
MOST = 10
"""Configurations in the table."""


def overview(tables: SweepTables) -> Findings:
    """The state of a sweep in one look.

    tables: `budget` with a row per budget axis: used, limit and price in its unit, `share` of the limit that is used
    (NaN: no limit, or not measured), `trials` by status, `configurations` with the best of them
    """
    metric, trials = metric_of(tables), tables.trials
    counts = trials["status"].value_counts(sort=False).rename_axis("status").rename("trials").reset_index()
    ranked = configuration_table(tables).head(MOST)
    columns = ["configuration", *(PARAMS + path for path in tables.parameters), "state", "seeds", "ended"]
    ranked = ranked[[*columns, "score_mean", "score_std"]].rename(columns=lambda name: str(name).removeprefix(PARAMS))
    first = ranked.iloc[0] if len(ranked) and pd.notna(ranked["score_mean"].iloc[0]) else None
    best = "No configuration has a mean score over its seeds yet."
    if first is not None:
        spread = "" if pd.isna(first["score_std"]) else f" ± {first['score_std']:.4f} (standard deviation over seeds)"
        whose = "Best" if tables.history.complete else "Best of the configurations whose seeds have ended"
        best = f"{whose}: {first['configuration']} with mean {metric.label} {first['score_mean']:.4f}{spread}."
    leader = leading_trial(tables, math.nan if first is None else float(first["score_mean"]))
    return Findings(
        verdict=(_stage(tables), best, *([leader] if leader else [])),
        tables={"budget": budget_table(tables), "trials": counts, "configurations": ranked},
        titles={
            "budget": "Use of every budget axis, with its limit and the price before the sweep",
            "trials": "Trials by status",
            "configurations": f"The best {len(ranked)} configurations",
        },
        warnings=tables.remarks.warnings,
    )


def leading_trial(tables: SweepTables, best: float) -> str:
    """A sentence on the best trial that has not ended, if its score is better than `best`, a mean, or there is none."""
    metric, trials = metric_of(tables), tables.trials
    going_on = trials[trials["status"].isin(_GOING_ON) & trials["score"].notna()]
    if going_on.empty:
        return ""
    leader = going_on.sort_values("score", ascending=metric.minimize, kind="stable").iloc[0]
    trial, score = leader["trial"], float(leader["score"])
    if not math.isnan(best) and not metric.is_better(score, best):
        return ""
    return f"{trial}, which has not ended, has reached {score:.4f}."


def budget_table(tables: SweepTables) -> pd.DataFrame:
    """A row per budget axis, columns `BUDGET_COLUMNS`."""
    price = recorded_price(tables.history.sessions)
    rows = []
    for row in tables.ledger.to_dict("records"):
        axis, own = AXES[str(row["axis"])], price.get(str(row["axis"]))
        unit = tables.spec.accounting.currency or "money" if axis.unit == "money" else axis.unit
        share = row["used"] / row["limit"] if row["limit"] else float("nan")
        ends = {f"price_{end}": _end(own, end) for end in ("low", "expected", "high")}
        told = {"axis": axis.name, "title": axis.title, "unit": unit, "used": row["used"], "limit": row["limit"]}
        rows.append({**told, "share": share, **ends, "reason": row["reason"]})
    return pd.DataFrame(rows, columns=list(BUDGET_COLUMNS))


def _end(price: PriceFact | None, end: str) -> float:
    return float("nan") if price is None else float(price[end])  # type: ignore[literal-required]


def _axis(name: str) -> tuple[str, str]:
    """Unit and title of a budget axis, inside a sentence."""
    axis = AXES.get(name)
    return (axis.unit, axis.title.lower()) if axis else ("", name)


def _stage(tables: SweepTables) -> str:
    history, counts = tables.history, tables.trials["status"].value_counts()
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    limit = history.limit
    if history.complete:
        stage = "The sweep is finished"
    elif limit is not None:
        unit, title = _axis(limit.axis)
        stage = f"The sweep ended at its limit of {format_quantity(limit.limit, unit)} {title} (budget.{limit.axis})"
    else:
        stage = "The sweep has not ended"
    elapsed = "" if history.elapsed_s is None else f" after {format_quantity(history.elapsed_s, 's')}"
    return f"{stage}{elapsed}; trials: {told or 'none'}."
