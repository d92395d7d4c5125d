"""What went wrong."""

from __future__ import annotations

from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table, cost_column

_TROUBLED = ("failed", "interrupted")


def section(tables: SweepTables) -> Section:
    """Trials that failed or were interrupted, with the recorded reason and what they cost."""
    trials = tables.trials
    troubled = trials[trials["status"].isin(_TROUBLED) | (trials["attempts"] > 1)]
    failed = int((trials["status"] == "failed").sum())
    broken = int((trials["status"] == "interrupted").sum())
    lost = float(trials["lost_wall_s"].sum())
    if troubled.empty:
        return Section("failures", "Failures", ("No trial failed, was interrupted, or needed a second attempt.",))
    columns = (
        Column("trial", "Trial", "name"),
        *(Column(PARAMS + path, path, "number", missing="none") for path in tables.parameters),
        Column("status", "Status"),
        Column("attempts", "Attempts", "count"),
        Column("epochs", "Epochs", "count"),
        cost_column("wall_s", "Worker time", "s"),
        Column("lost_wall_s", "Lost", "quantity", "s"),
        Column("reason", "Reason", "prose"),
    )
    sentence = (
        f"{counted(failed, 'trial')} failed, {counted(broken, 'trial')} {'was' if broken == 1 else 'were'} "
        f"interrupted; {lost:.1f} s of worker time are covered by no report."
    )
    return Section(
        name="failures",
        title="Failures",
        headline=(sentence,),
        tables=(Table("failures", "Trials that failed, broke off or were tried again", troubled, columns),),
        assumptions=("A failed trial enters no mean, curve or front, whatever it reached before; its costs count.",),
    )
