"""What the last exit gets wrong that an earlier one had right."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.overthinking import Overthinking, overthinking
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.figures import overthinking_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.replayed import nothing_replayed, whose
from greenexp.report.sections.wording import mean_and_std
from greenexp.report.table import Column, Table

TITLE = "Overthinking"


def section(tables: SweepTables) -> Section:
    """Shares per exit over the seeds of the chosen configuration, and what an oracle would reach."""
    chosen = chosen_trials(tables)
    shares = chosen.rows(tables.overthinking)
    if shares.empty:
        return Section("overthinking", TITLE, (nothing_replayed(tables, chosen, "overthinking"),))
    found = overthinking(shares)
    if len(found.exits) < 2:
        return Section("overthinking", TITLE, ("Only one exit was trained, so there is no earlier one to be right.",))
    figure = overthinking_figure(found)
    columns = (
        Column("exit", "Exit", "count"), Column("layer", "Layer", "count"),
        Column("right", "Right, mean", "score"), Column("right_std", "Right, standard deviation", "score"),
        Column("first_right", "Right for the first time, mean", "score"),
        Column("right_then_wrong", "Right here, wrong at the last, mean", "score"), Column("trials", "Seeds", "count"),
    )  # fmt: skip
    note = "Shares of dev examples, means over seeds. Right for the first time: no earlier exit was right."
    return Section(
        name="overthinking",
        title=TITLE,
        headline=_sentences(found, tables),
        paragraphs=(f"Over {whose(chosen, shares)}; each exit answers for itself, and right means the right class.",),
        plates=(Plate(figure, Table(figure.name, figure.title, found.exits, columns, note)),),
        tables=(_per_seed(found.trials),),
        assumptions=(
            "Overthinking as in Kaya et al. 2019: an earlier exit is right, the last one wrong.",
            (
                "The oracle picks, for each example, an exit that is right, by looking at the label. No policy can do "
                "that, and part of what earlier exits get right may be chance."
            ),
        ),
    )


def _sentences(found: Overthinking, tables: SweepTables) -> tuple[str, ...]:
    trials, seeds = found.trials, tables.spec.seeds
    oracle = mean_and_std(trials["oracle_right"].mean(), trials["oracle_right"].std(), len(trials), seeds)
    last = f"{trials['last_right'].mean():.4f}"
    bound = f"An oracle over the exits would be right on {oracle} of the dev examples; the last exit is right on {last}"
    part = trials["overthought_of_wrong"].dropna()
    if part.empty:
        return ("The last exit gets no dev example wrong, so there is no overthinking.",)
    return (
        (
            f"{100 * part.mean():.1f} % of the dev examples that the last exit gets wrong were right at an earlier one "
            f"({100 * trials['overthought'].mean():.1f} % of all dev examples{_mean(trials)})."
        ),
        f"{bound}.",
    )


def _mean(trials: pd.DataFrame) -> str:
    return ", means over seeds" if len(trials) > 1 else ""


def _per_seed(trials: pd.DataFrame) -> Table:
    columns = (
        Column("trial", "Trial", "name"), Column("last_right", "Last exit right", "score"),
        Column("oracle_right", "Some exit right (oracle)", "score"),
        Column("overthought", "Right earlier, wrong at the last", "score"),
        Column("overthought_of_wrong", "As a part of what the last gets wrong", "score", missing="nothing wrong"),
    )  # fmt: skip
    return Table("overthinking-seeds", "Overthinking seed by seed", trials, columns, "Shares of dev examples.")
