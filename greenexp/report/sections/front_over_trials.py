"""What fronts are worth: over the number of trials of the search, and over the seeds of the chosen configuration."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.fronts.front_over_trials import FrontOverTrials, attained_fronts, front_over_trials
from greenexp.analysis.fronts.operating_points import evenly
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import attainment_figure, front_over_trials_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import SHARED_SEEDS, counted, is_crossed
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

MOST_SHOWN = 10
"""Corners of a line in the table for reading; the CSV has all."""


def section(tables: SweepTables) -> Section:
    """Expected hypervolume over trials, or the refusal; attainment curves of the chosen configuration."""
    metric, found = metric_of(tables), front_over_trials(tables)
    chosen, curves = attained_fronts(tables)
    seeds = int((tables.trials["configuration"] == chosen).sum())
    plates = [_worth(found, metric)] if len(found.curve) else []
    if len(set(curves["inference_flops"])) > 1:
        plates.append(_attained(curves, seeds, chosen, metric))
    return Section(
        name="front-over-trials",
        title="Fronts over trials and seeds",
        headline=(*_said_worth(found, metric), *_said_attained(curves, seeds, chosen, metric)),
        plates=tuple(plates),
        assumptions=_assumptions(tables, found, curves, seeds, metric),
    )


def _label(metric: SweepMetric) -> tuple[str, str]:
    if metric.minimize:
        return f"Improvement of dev {metric.name},", "mean over all prices"
    return f"Best dev {metric.name} within a price,", "mean over all prices"


def _worth(found: FrontOverTrials, metric: SweepMetric) -> Plate:
    figure = front_over_trials_figure(found.curve, found.per_seed, _label(metric))
    several = len(set(found.per_seed["seed"])) > 1
    shown = figure.table[figure.table["seed"] == "mean"]
    columns = [Column("trials", "Trials", "count"), Column("value", " ".join(_label(metric)), "score")]
    note = "Hypervolume / full price, expected of that many trials."
    if several:
        columns.append(Column("standard_deviation", "Standard deviation between seeds", "score"))
        note += " Shown is the mean over seeds; the CSV has each seed (initialisation-order) too."
    return Plate(
        figure, Table(figure.name, figure.title, figure.table, tuple(columns), note, shown if several else None)
    )


def _attained(curves: pd.DataFrame, seeds: int, chosen: str, metric: SweepMetric) -> Plate:
    figure = attainment_figure(curves, seeds, chosen, metric)
    columns = (
        Column("trials", f"Seeds of {seeds}, at least", "count"),
        Column("inference_flops", "FLOPs per example, at most", "quantity", "FLOP"),
        Column("score", f"Dev {metric.name}", "score"),
    )
    note = "Corners of the step lines; the last row of each is where the drawing ends."
    shown = pd.concat([evenly(rows, MOST_SHOWN) for _, rows in curves.groupby("trials", sort=False)])
    fewer = len(shown) < len(curves)
    if fewer:
        note += f" {len(shown)} of {len(curves)} rows, evenly spaced along each line, both ends included."
    return Plate(figure, Table(figure.name, figure.title, figure.table, columns, note, shown if fewer else None))


def _said_worth(found: FrontOverTrials, metric: SweepMetric) -> tuple[str, ...]:
    if found.refusal:
        return (f"No curve of the front over trials: {found.refusal}.",)
    first, last = found.curve.iloc[0], found.curve.iloc[-1]
    price = format_quantity(found.reference[0], "FLOP")
    if metric.minimize:
        begin = f"Averaged over all costs up to {price} per example, the front improves dev {metric.name} by"
    else:
        begin = f"The best dev {metric.name} within a cost, averaged over all costs up to {price} per example, is"
    return (
        (
            f"{begin} {first['value']:.4f} with one trial and {last['value']:.4f} with {int(last['trials'])}, in "
            "expectation."
        ),
    )


def _said_attained(curves: pd.DataFrame, seeds: int, chosen: str, metric: SweepMetric) -> tuple[str, ...]:
    if not chosen:
        return ("No attainment curves: no configuration has ended with a score from all its seeds.",)
    if curves.empty:
        return (f"No attainment curves: the seeds of {chosen} have no operating point with a score and FLOPs.",)
    last = curves.drop_duplicates("trials", keep="last")
    ends = dict(zip(last["trials"], last["score"], strict=True))
    if len(set(curves["inference_flops"])) == 1:
        return (f"No attainment curves: all operating points of {chosen} cost the same.",)
    if seeds == 1:
        reached = f"{chosen} has one seed and so one front, up to {last['score'].iloc[0]:.4f}"
        return (f"{reached}; what another seed gives is unknown.",)
    parts = [f"{int(k)} of {seeds} reach {value:.4f}" for k, value in ends.items()]
    return (f"Of the seeds of {chosen}, at the full cost, {', '.join(parts)} dev {metric.name} or better.",)


def _assumptions(
    tables: SweepTables, found: FrontOverTrials, curves: pd.DataFrame, seeds: int, metric: SweepMetric
) -> tuple[str, ...]:
    notes = []
    if not found.refusal:
        zero = (
            "the worst score on the front of a trial"
            if metric.minimize
            else "a score of 0, as if no example were answered"
        )
        notes.append(
            f"Hypervolume above the reference: {zero} ({found.reference[1]:.4f}), at the cost of the most expensive "
            f"operating point ({format_quantity(found.reference[0], 'FLOP')}), divided by that cost. "
            "Another reference gives other numbers."
        )
        several = len(set(found.per_seed["seed"]))
        over = f", for each of {several} seeds by itself, and the mean of these" if several > 1 else ""
        notes.append(
            "A trial is one configuration trained once; unbiased estimate (draws without replacement) over "
            f"configurations drawn independently{over}. There is no band, as no valid method is known."
        )
        if found.failed:
            notes.append(f"{counted(found.failed, 'failed trial')} counts as adding nothing." if found.failed == 1
                         else f"{found.failed} failed trials count as adding nothing.")  # fmt: skip
    if len(curves):
        notes.append(
            "A seed attains a point if one of its operating points costs no more and scores no less. The lines "
            "are attained by at least a quarter, half and three quarters of the seeds; equal ones are drawn once. "
            f"{counted(seeds, 'seed')} give{'s' if seeds == 1 else ''} little information about further seeds."
        )
        if is_crossed(tables.spec.seeds):
            notes.append(SHARED_SEEDS)
    notes.append("Operating points, thresholds included, are scored on the dev set that chose them: optimistic.")
    return tuple(notes)
