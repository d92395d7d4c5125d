"""Configurations, best first."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table, cost_column


def section(tables: SweepTables) -> Section:
    """The table of configurations with mean and spread over seeds, or why there is none."""
    frame = configuration_table(tables)
    columns = (
        Column("configuration", "Configuration", "name"),
        *(Column(PARAMS + path, path, "number", missing="none") for path in tables.parameters),
        Column("state", "State"),
        Column("seeds", "Seeds", "count"),
        Column("score_mean", "Mean", "score"),
        Column("score_std", "Standard deviation", "score"),
        Column("best_score", "Best seed", "score"),
        Column("epochs", "Epochs", "count"),
        cost_column("train_flops", "Training", "FLOP"),
        cost_column("wall_s", "Worker time", "s"),
        Column("reason", "Remark", "prose"),
    )
    metric = metric_of(tables)
    note = (
        f"{metric.label}; best mean first, configurations without a mean last. The mean of a stopped configuration is "
        "a "
        f"{metric.bound} of its mean after full training."
    )
    return Section(
        name="configurations",
        title="Configurations",
        headline=_sentences(frame),
        tables=(Table("configurations", "Configurations", frame, columns, note),),
        assumptions=(
            (
                "Mean and standard deviation (n - 1) are over the seeds of a configuration; the same seeds are used "
                "for all."
            ),
            (
                "There is no mean where seeds failed, have not ended, or were trained for different lengths; the "
                "remark says which."
            ),
        ),
    )


def _sentences(frame: pd.DataFrame) -> tuple[str, ...]:
    if frame.empty:
        return ("No configuration is planned.",)
    states = frame["state"].value_counts(sort=False)
    parts = ", ".join(f"{count} {state}" for state, count in states.items())
    spread = frame.loc[frame["state"] == "complete", "score_std"].dropna()
    more = ""
    if len(spread):
        more = (
            f" The standard deviation over seeds of the {counted(len(spread), 'complete one')} is between "
            f"{spread.min():.4f} and {spread.max():.4f}."
        )
    return (f"{counted(len(frame), 'configuration')}: {parts}.{more}",)
