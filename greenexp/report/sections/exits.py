"""How each exit does, used alone."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.fronts.operating_points import exit_summary
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import exits_figure
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table


def section(tables: SweepTables) -> Section:
    """Lines over the exits of finished trials, the best configuration's on top, and means over trials."""
    metric = metric_of(tables)
    points = _points(tables, metric)
    title = "Score of every exit"
    if points["score"].dropna().empty:
        return Section("exits", title, ("No trial that did not fail has reported exit scores yet.",))
    configurations = set(points["configuration"])
    shown = configuration_table(tables).dropna(subset=["score_mean"])
    drawn = [str(name) for name in shown["configuration"] if name in configurations]
    best = drawn[0] if drawn else ""
    figure = exits_figure(points, best, metric)
    columns = (
        Column("trial", "Trial", "name"), Column("exit", "Exit", "count"), Column("layer", "Layer", "count"),
        Column("epoch", "Epoch", "count"), Column("score", "Score", "score"),
    )  # fmt: skip
    summary = exit_summary(tables)
    return Section(
        name="exits",
        title=title,
        headline=_sentences(points, best, metric),
        plates=(Plate(figure, Table(figure.name, "Exit scores drawn", figure.table, columns)),),
        tables=(_summary_table(summary),) if len(summary) else (),
        assumptions=(
            _who_is_drawn(points, figure.table, tables),
            "Each trial is taken at its best epoch by the sweep's metric; single exits may be better at another one.",
            *_over_which(tables, metric),
            *(["A trial is left out at exits that it does not have, or never trained."] * _some_lack_exits(summary)),
        ),
    )


def _over_which(tables: SweepTables, metric: SweepMetric) -> tuple[str, ...]:
    """Which trials the table of means is over; nothing where there is none."""
    finished = _finished(tables)
    if not finished:
        return ()
    text = (
        f"The table is over the {counted(finished, 'trial')} that finished, over configurations and seeds alike; "
        f"trials stopped early would pull the means {'up' if metric.minimize else 'down'}."
    )
    return (text,)


def _who_is_drawn(points: pd.DataFrame, drawn: pd.DataFrame, tables: SweepTables) -> str:
    who = "trials that finished" if _finished(tables) else "trials so far, as none has finished"
    shown, known = drawn["trial"].nunique(), points.dropna(subset=["score"])["trial"].nunique()
    return f"Drawn: {who}{'' if shown == known else f'; the best {shown} of {known}'}."


def _some_lack_exits(summary: pd.DataFrame) -> bool:
    return int(summary["trials"].nunique()) > 1


def _finished(tables: SweepTables) -> int:
    return int((tables.trials["status"] == "finished").sum())


def _points(tables: SweepTables, metric: SweepMetric) -> pd.DataFrame:
    """Exit scores at the best epoch: finished trials if any, else all that did not fail; the best trials first."""
    trials = tables.trials[tables.trials["status"] != "failed"]
    if (trials["status"] == "finished").any():
        trials = trials[trials["status"] == "finished"]
    order = trials.sort_values("score", ascending=metric.minimize, kind="stable")["trial"]
    points = tables.operating_points[tables.operating_points["policy"] == STATIC]
    place = dict(zip(order, range(len(order)), strict=True))
    points = points[points["trial"].isin(order)].sort_values("trial", key=lambda names: names.map(place), kind="stable")
    points = points.assign(exit=points["threshold"].astype(int), layer=points["mean_layers"].astype(int))
    return points[["trial", "configuration", "exit", "layer", "epoch", "score", "inference_flops"]]


def _sentences(points: pd.DataFrame, best: str, metric: SweepMetric) -> tuple[str, ...]:
    chosen = points[points["configuration"] == best]
    known = (chosen if len(chosen) else points).dropna(subset=["score"])
    means = known.groupby("exit")["score"].mean()
    who = f"configuration {best}" if len(chosen) else "the trials shown"
    top = means.idxmin() if metric.minimize else means.idxmax()
    sentence = (
        f"On average over the seeds of {who}, dev {metric.name} goes from {means.iloc[0]:.4f} at exit "
        f"{means.index[0]} to {means.iloc[-1]:.4f} at exit {means.index[-1]}."
    )
    # Exits that print alike are not told apart.
    if abs(metric.best(means) - means.iloc[-1]) >= 1e-4:
        sentence += f" The best exit is not the last but exit {top}, with {metric.best(means):.4f}."
    return (sentence,)


def _summary_table(summary: pd.DataFrame) -> Table:
    columns = (
        Column("exit", "Exit", "count"),
        Column("layer", "Layer", "count"),
        Column("trials", "Trials", "count"),
        Column("score_mean", "Mean", "score"),
        Column("score_std", "Standard deviation", "score"),
        Column("score_best", "Best", "score"),
        Column("inference_flops", "FLOPs per example", "quantity", "FLOP", "not measured"),
    )
    return Table("exit-summary", "Exits over all finished trials", summary, columns)
