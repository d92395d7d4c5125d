"""What came out, what it costs to use, what it cost to find."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis import Metric, cheapest_within, configuration_table, metric_of, operating_front, savings
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.wording import counted, listed, mean_and_std, settings_of, share
from greenexp.units import format_quantity

POINT = 0.01
"""One point of a metric between 0 and 1."""


def section(tables: SweepTables) -> Section:
    """The sentences a reader should leave with."""
    metric = metric_of(tables)
    configurations = configuration_table(tables)
    sentences = [*_best(tables, configurations, metric), *_cheapest(tables, metric), _trials(tables), _budget(tables)]
    saved = _stopped(tables)
    return Section(
        name="headline",
        title="In short",
        headline=tuple(sentences + ([saved] if saved else [])),
        paragraphs=(
            (
                "Trial score = best dev value so far: every trial counts with its best epoch, also one that was "
                "stopped early. All scores are on the dev set, which also chose among epochs and configurations, so "
                "they flatter what was chosen."
            ),
        ),
    )


def _best(tables: SweepTables, configurations: pd.DataFrame, metric: Metric) -> list[str]:
    shown = configurations.dropna(subset=["score_mean"])
    if shown.empty:
        best = configurations["best_score"].dropna()
        if best.empty:
            return ["No trial that did not fail has a score: nothing can be said about the configurations."]
        return [
            (
                "No configuration has a score from all its seeds. The best single trial reached "
                f"{metric.best(best):.4f} {metric.label}."
            )
        ]
    first = shown.iloc[0]
    settings = settings_of(first, tables)
    spread = mean_and_std(first["score_mean"], first["score_std"], int(first["seeds"]))
    stopped = f" It was stopped early: a {metric.bound}." if first["state"] == "stopped" else ""
    sentences = [
        (
            f"Best configuration of {len(configurations)}: "
            f"{first['configuration']}{f' ({settings})' if settings else ''}, {metric.label} {spread}.{stopped}"
        )
    ]
    return sentences + ([_runner_up(first, shown.iloc[1])] if len(shown) > 1 else [])


def _runner_up(first: pd.Series, second: pd.Series) -> str:
    gap = abs(first["score_mean"] - second["score_mean"])
    most, early = ("at most ", ", stopped early") if second["state"] == "stopped" else ("", "")
    sentence = f"The next, {second['configuration']}{early}, is {most}{gap:.4f} behind"
    spread = max(first["score_std"], second["score_std"])
    if pd.isna(spread):
        return f"{sentence}; with one seed nothing tells this from noise."
    if gap < spread:
        return f"{sentence}, less than the spread over seeds ({spread:.4f}): this sweep does not tell the two apart."
    return f"{sentence}; the spread over seeds is {spread:.4f}."


def _cheapest(tables: SweepTables, metric: Metric) -> list[str]:
    points = operating_front(tables)
    known = points.dropna(subset=["score", "inference_flops"])
    if known.empty or metric.minimize:
        return []
    best = known.sort_values(["score", "inference_flops"], ascending=[False, True], kind="stable").iloc[0]
    cheap = cheapest_within(known, POINT, minimize=False)
    if cheap is None:
        return []
    top = (
        f"The best operating point is exit {best['threshold']:.0f} of {best['trial']}: dev {metric.name} "
        f"{best['score']:.4f} at {format_quantity(float(best['inference_flops']), 'FLOP')} per example"
    )
    if cheap["inference_flops"] == best["inference_flops"]:
        return [f"{top}; no cheaper one comes within {POINT} of it."]
    ratio = best["inference_flops"] / cheap["inference_flops"]
    return [
        (
            f"{top}; the cheapest within {POINT} of it is exit {cheap['threshold']:.0f} of {cheap['trial']}: "
            f"{cheap['score']:.4f} at {format_quantity(float(cheap['inference_flops']), 'FLOP')}, {ratio:.1f} times "
            "cheaper."
        )
    ]


def _trials(tables: SweepTables) -> str:
    status = tables.trials["status"]
    names = ("finished", "stopped", "failed", "interrupted", "paused", "running", "planned")
    words = {"stopped": "stopped early", "planned": "not started"}
    parts = [f"{(status == name).sum()} {words.get(name, name)}" for name in names if (status == name).any()]
    configurations = tables.trials["configuration"].nunique()
    return (
        f"{counted(len(status), 'trial')} planned ({counted(configurations, 'configuration')}): "
        f"{', '.join(parts) or 'none'}."
    )


def _budget(tables: SweepTables) -> str:
    """What was used on every measured axis, with its limit; what was not measured by name."""
    used, missing = [], []
    for row in tables.ledger.to_dict("records"):
        axis = AXES[str(row["axis"])]
        if axis.name == "trials":
            continue
        if pd.isna(row["used"]):
            missing.append(axis.title.lower() if axis.title != "CO2e" else axis.title)
            continue
        if row["used"] > 0:
            used.append(f"{format_quantity(float(row['used']), _unit(axis.unit, tables))} {_what(axis.name)}".strip())
    held = float(tables.trials["wall_s"].sum(min_count=1))
    workers = "" if pd.isna(held) else f"; workers were held for {format_quantity(held, 's')}"
    absent = f" Not measured: {listed(missing, 9)}." if missing else ""
    return f"Used: {', '.join(used) or 'nothing'}{workers}.{absent}{_limit(tables)}"


def _limit(tables: SweepTables) -> str:
    """That the budget ended the sweep, if it did."""
    reached = tables.facts.get("limit")
    if not reached or reached.get("axis") not in AXES:
        return ""
    axis = AXES[reached["axis"]]
    what = "time on the clock" if axis.name == "wall_s" else axis.title
    limit = format_quantity(float(reached["limit"]), _unit(axis.unit, tables))
    return f" The sweep ended because its budget was used up: {what}, limit {limit}."


def _unit(unit: str, tables: SweepTables) -> str:
    currency = (tables.spec.get("accounting") or {}).get("currency")
    return str(currency or "money") if unit == "money" else unit


def _what(axis: str) -> str:
    return {
        "epochs": "epochs", "wall_s": "on the clock", "gpu_s": "of GPU time", "cpu_s": "of CPU time",
        "train_flops": "of training", "energy_j": "of energy", "carbon_g": "CO2e",
    }.get(axis, "")  # fmt: skip


def _stopped(tables: SweepTables) -> str:
    numbers = savings(tables)
    if not numbers.stopped:
        return ""
    scheduler = str((tables.spec.get("scheduler") or {}).get("name", "the scheduler"))
    return (
        f"Early stopping ({scheduler}) ended {share(numbers.stopped, numbers.trials)} trials before their last epoch "
        f"and saved {share(numbers.saved_epochs, numbers.planned_epochs)} planned epochs."
    )
