"""What a scheduler that stops early would have saved, over the curves of a sweep that stopped nobody."""

from __future__ import annotations

import math
import zlib
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.findings import Findings
from greenexp.analysis.stopping.options import StoppingOptions
from greenexp.analysis.stopping.simulate_curves import RecordedCurves, recorded_curves, sweep_points
from greenexp.analysis.stopping.study import stopping_study
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.errors import InputError
from greenexp.figures import simulated_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table
from greenexp.schedulers import SCHEDULERS, compares_objectives, scheduler_names

NAME, TITLE = "simulated", "Simulated early stopping"
FEWEST = 9
"""Configurations: two rungs that each let one in three go on, the schedulers' own reduction factor."""
SHORTEST = 3
MOST, REPEATS = 27, 300
FULL = "full training"
COLUMNS = (
    Column("way", "Scheduler"), Column("begun", "Begun", "number"), Column("finished", "Trained to the end", "number"),
    Column("expected_best", "Expected best", "score"), Column("error", "±", "score"),
    Column("cost", "Epochs", "number"), Column("equal_cost", "Full training, equal result", "number"),
    Column("saved_percent", "Saved (%)", "number"), Column("saved_percent_low", "From", "number"),
    Column("saved_percent_high", "To", "number"),
)  # fmt: skip


def section(tables: SweepTables) -> Section:
    """The schedulers that halve over the recorded curves, or the reason why they cannot be simulated."""
    metric = metric_of(tables)
    curves, refusal = _curves(tables, metric)
    if curves is None:
        return Section(NAME, TITLE, (f"Not simulated: {refusal}.",), assumptions=(_PRESUMES,))
    begun = min(MOST, len(curves.units))
    options = StoppingOptions(
        schedulers=scheduler_names(lambda kind: kind.stops and not kind.needs_seeds and not compares_objectives(kind)),
        trials=(begun,),
        repeats=REPEATS,
        seed=zlib.crc32(tables.history.fingerprint.encode()),
        best_so_far=False,
    )
    try:
        findings = stopping_study(curves, options)
    except InputError as error:
        return Section(NAME, TITLE, (f"Not simulated: {error}.",), assumptions=(_PRESUMES,))
    searches = findings["searches"].to_dict("records")
    return Section(
        name=NAME,
        title=TITLE,
        headline=(
            (
                f"Random searches of {begun} configurations, drawn from this sweep's {len(curves.units)} and run under "
                "schedulers that stop some, beside training every one to its end at equal expected best:"
            ),
            *(_sentence(row) for row in searches),
        ),
        plates=(_plate(findings, begun, metric),),
        assumptions=(*findings.notes, ASSUMED),
    )


def _curves(tables: SweepTables, metric: SweepMetric) -> tuple[RecordedCurves | None, str]:
    """The curves, or None and why there are none."""
    trials = tables.trials
    number, epochs = trials["configuration"].nunique(), int(trials["max_epochs"].max()) if len(trials) else 0
    if number < FEWEST:
        return None, f"{counted(number, 'configuration')} of the {FEWEST} that two rungs need"
    try:
        points = sweep_points(tables)
    except ValueError as error:
        return None, str(error)
    refusal = expected_best(tables).refusal
    if refusal:
        return None, refusal
    per_epoch = 1 if tables.epochs["dev_examples"].notna().any() else tables.spec.training.reports_per_epoch
    if epochs * per_epoch < SHORTEST:
        return None, f"a trial has {counted(epochs, 'epoch')}, and a rung of every scheduler needs {SHORTEST}"
    try:
        return recorded_curves(points, epochs * per_epoch, minimize=metric.minimize), ""
    except ValueError as error:
        return None, str(error)


def _sentence(row: Mapping[Hashable, Any]) -> str:
    title = SCHEDULERS[str(row["scheduler"])].title
    gives = f"{title}: expected best {row['expected_best']:.4f} for {row['cost']:.4g} epochs"
    if row["no_saving"]:
        return f"{gives}; no full training compares, as {row['no_saving']}."
    same = f"{gives}, to which full training comes for {row['equal_cost']:.4g}"
    less = row["saved"] >= 0
    ends = (row["saved_low"], row["saved_high"]) if less else (-row["saved_high"], -row["saved_low"])
    spans = "" if any(map(math.isnan, ends)) else f" ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %)"
    return f"{same}: {100 * abs(row['saved']):.0f} % {'saved' if less else 'more spent'}{spans}."


def _plate(findings: Findings, begun: int, metric: SweepMetric) -> Plate:
    full = findings["full"].rename(columns={"trials": "begun"})
    line = full.assign(way=FULL, finished=full["begun"].astype("float64"), no_saving="")
    marks = findings["searches"].rename(columns={"trials": "begun"})
    marks = marks.assign(way=[SCHEDULERS[name].title for name in marks["scheduler"]])
    shares = {
        name.replace("saved", "saved_percent"): 100 * marks[name] for name in ("saved", "saved_low", "saved_high")
    }
    frame = pd.concat([marks.assign(**shares), line], ignore_index=True)
    frame = frame[[column.name for column in COLUMNS] + ["cost_error", "share_of_full", "no_saving"]]
    figure = simulated_figure(frame, begun, metric)
    shown = frame[(frame["way"] != FULL) | (frame["begun"] == begun)]
    note = (
        f"±: standard error of the simulation; from, to: with 2 of them. Of full training, the row of {begun} "
        "configurations; the CSV has every number of them, as drawn."
    )
    return Plate(figure, Table(figure.name, figure.title, frame, COLUMNS, note, shown))


_PRESUMES = "A simulation presumes a random search of which every trial ran to its end, with nothing stopped."


ASSUMED = (
    "Costs are epochs of training, all seeds of a configuration together, and one worker trains; with more, a "
    "scheduler that decides at once judges in another order. What is saved is saved over this sweep's curves, and not "
    "in another search."
)
