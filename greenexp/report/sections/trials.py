"""Every trial."""

from __future__ import annotations

from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.section import Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table, cost_column


def section(tables: SweepTables) -> Section:
    """All trials in plan order; the CSV has every recorded column."""
    columns = (
        Column("trial", "Trial", "name"),
        *(Column(PARAMS + path, path, "number", missing="none") for path in tables.parameters),
        Column("status", "Status"),
        Column("score", "Score", "score"),
        Column("best_epoch", "Best epoch", "count"),
        Column("epochs", "Epochs", "count"),
        Column("attempts", "Attempts", "count"),
        cost_column("train_flops", "Training", "FLOP"),
        cost_column("wall_s", "Worker time", "s"),
        cost_column("energy_j", "Energy", "J"),
        cost_column("peak_memory_b", "Peak memory", "B"),
    )
    again = int((tables.trials["attempts"] > 1).sum())
    return Section(
        name="trials",
        title="Trials",
        headline=(f"{counted(len(tables.trials), 'trial')}; {counted(again, 'trial')} needed more than one attempt.",),
        tables=(Table("trials", "Trials", tables.trials, columns, "Costs are totals over all attempts."),),
        assumptions=(
            "Trial score = best dev value so far, also of trials that were stopped, interrupted or failed later.",
        ),
    )
