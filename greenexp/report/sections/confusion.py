"""Whether disagreement among the exits tells where the last one is wrong."""

from __future__ import annotations

from greenexp.analysis.exits.confusion import Confusion, confusion
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.figures import confusion_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.replayed import nothing_replayed, whose
from greenexp.report.sections.wording import mean_and_std
from greenexp.report.table import Column, Table

TITLE = "Confusion"


def section(tables: SweepTables) -> Section:
    """Errors of the last exit by confusion, over the seeds of the chosen configuration."""
    chosen = chosen_trials(tables)
    rows = chosen.rows(tables.confusion)
    if rows.empty:
        only_one = not chosen.rows(tables.overthinking).empty
        reason = "Only one exit was trained, so no exit below can disagree with it."
        return Section("confusion", TITLE, (reason if only_one else nothing_replayed(tables, chosen, "confusion"),))
    found = confusion(rows)
    figure = confusion_figure(found)
    columns = (
        Column("part", "Tenth", "count"), Column("confusion", "Confusion, mean", "score"),
        Column("wrong", "Wrong at the last exit, mean", "score"),
        Column("wrong_std", "Wrong at the last exit, standard deviation", "score"), Column("trials", "Seeds", "count"),
    )  # fmt: skip
    note = "Tenths of the dev examples of each seed by rising confusion; means over seeds."
    return Section(
        name="confusion",
        title=TITLE,
        headline=(_sentence(found, tables),),
        paragraphs=(
            (
                f"Over {whose(chosen, rows)}. The confusion of an example is the sum over the exits below the last of "
                "the L1 distance between their predicted probabilities and the last exit's."
            ),
        ),
        plates=(Plate(figure, Table(figure.name, figure.title, found.parts, columns, note)),),
        tables=(_per_seed(found),),
        assumptions=(
            "Confusion as in Kaya et al. 2019, without their standardisation, which changes no order of the examples.",
        ),
    )


def _sentence(found: Confusion, tables: SweepTables) -> str:
    areas = found.trials["area"].dropna()
    if areas.empty:
        return "The last exit gets all dev examples right, or all wrong, so confusion cannot tell them apart."
    area = mean_and_std(areas.mean(), areas.std(), len(areas), tables.spec.seeds)
    least, most = found.parts["wrong"].iloc[0], found.parts["wrong"].iloc[-1]
    return (
        f"The last exit is wrong on {100 * least:.1f} % of the least confused tenth of the dev examples and on "
        f"{100 * most:.1f} % of the most confused one. An example that it gets wrong has more confusion than one that "
        f"it gets right with probability {area} (0.5: confusion tells nothing)."
    )


def _per_seed(found: Confusion) -> Table:
    columns = (
        Column("trial", "Trial", "name"), Column("wrong", "Wrong at the last exit", "score"),
        Column("area", "Area under the ROC curve", "score", missing="all right, or all wrong"),
    )  # fmt: skip
    return Table("confusion-seeds", "Confusion seed by seed", found.trials, columns, "Shares of dev examples.")
