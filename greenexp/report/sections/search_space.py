"""Whether the space was large enough, what in it mattered, and how far ahead the best are."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.lead import LeadVerdict
from greenexp.analysis.comparing.lead_of_sweep import lead_of_best
from greenexp.analysis.search.importance import IMPORTANCE_COLUMNS, PERMUTATIONS, Importance, importance
from greenexp.analysis.search.search_space import bounds_hit, leaders
from greenexp.analysis.sweeps.metric import SweepMetric as Metric
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.figures import importance_figure
from greenexp.figures.importance import MOST_PARAMETERS
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted, listed
from greenexp.report.table import Column, Table, plain_value
from greenexp.searches import is_even

LEADERS = 10
_UNLIKELY = 0.05


def section(tables: SweepTables) -> Section:
    """Bounds hit, importance or its refusal, the leading configurations."""
    metric = metric_of(tables)
    ends, top = bounds_hit(tables), leaders(tables, LEADERS)
    mattered = _importances(tables)
    table = mattered.table
    plates = (_importance(mattered),) if len(table) and table["importance"].sum() > 0 else ()
    return Section(
        name="search-space",
        title="Search space",
        headline=(*_bounds(ends, tables), _mattered(mattered), *_ahead(tables, top)),
        plates=plates,
        tables=(_leaders_table(top, tables, metric), *((_bounds_table(ends),) if len(ends) else ())),
        assumptions=_assumptions(tables, ends, mattered, top),
    )


def _importances(tables: SweepTables) -> Importance:
    """Importance, with random permutations that are the same each time for one sweep."""
    rng = np.random.default_rng(zlib.crc32(tables.history.fingerprint.encode()))
    try:
        return importance(tables, rng)
    except ValueError:
        # A value next to a bound that lost a digit on its way, or a space that was changed afterwards.
        refusal = "a configuration lies outside the space of the sweep file"
        return Importance(pd.DataFrame(columns=list(IMPORTANCE_COLUMNS)), refusal, 0, 0)


def _bounds(ends: pd.DataFrame, tables: SweepTables) -> tuple[str, ...]:
    """Where the best crowd at an end of what was searched."""
    if ends.empty:
        space = tables.spec.space
        why = "no configuration has a mean score yet" if space and tables.parameters else (
            "nothing was searched over a range"
        )  # fmt: skip
        return (f"No bound of the search space to look at: {why}.",)
    hit = ends[ends["hit"]]
    if hit.empty:
        best, all_of = counted(int(ends["best"].max()), "configuration"), int(ends["configurations"].max())
        each = "" if (ends["configurations"] == all_of).all() else ", nor that of a range that only some of them have"
        return (f"No end of a searched range was hit by the best {best} of {all_of}{each}.",)
    return tuple(_crowded(row) for row in hit.head(4).to_dict("records"))


def _crowded(row: Mapping[Hashable, Any]) -> str:
    chance = float(row["by_chance"])
    leader = ", the very best among them," if row["leader_near"] else ""
    where = f"Near the {row['end']} end of {row['parameter']} ({plain_value(row['bound'])})"
    more = "a better value may lie beyond" if chance <= _UNLIKELY else "this is no evidence of better values beyond"
    return (
        f"{where}: {row['near']} of the best {row['best']}{leader} and {row['near_all']} of all "
        f"{row['configurations']}; the probability of this number or more of the best under chance is "
        f"{chance:.2g}: {more}."
    )


def _mattered(importances: Importance) -> str:
    if importances.refusal:
        return f"No importance of hyperparameters: {importances.refusal}."
    table = importances.table
    if table["importance"].sum() == 0:
        return "No hyperparameter tells the best tenth of the configurations from the rest."
    clear = table[table["by_chance"] <= _UNLIKELY]
    parts = [f"{name} {share:.2f}" for name, share in zip(table["parameter"], table["importance"], strict=True)]
    likely = listed([str(name) for name in clear["parameter"]]) if len(clear) else ""
    words = f"more than chance (5 %, each for itself): {likely}" if likely else "none is more than chance (5 %)"
    return f"What told the best tenth of the configurations from the rest, in shares: {listed(parts)}; {words}."


def _ahead(tables: SweepTables, top: pd.DataFrame) -> tuple[str, ...]:
    """Whether the best is better than the next, and from how many of those that follow it is told apart."""
    lead = lead_of_best(tables)
    if lead is None:
        return ()
    verdicts = top["verdict"].iloc[1:]
    if len(verdicts) == 1:
        return (lead.sentence,)
    apart, alike, unknown = (int((verdicts == str(name)).sum()) for name in LeadVerdict)
    others = f"; for {unknown} it cannot be told" if unknown else ""
    counts = f"{apart} told apart from it, {alike} not told apart{others}"
    return lead.sentence, f"Of the {len(verdicts)} configurations that follow {lead.first}: {counts}."


def _importance(importances: Importance) -> Plate:
    figure = importance_figure(importances.table)
    columns = (
        Column("parameter", "Hyperparameter", "name"),
        Column("importance", "Share", "score"),
        Column("by_chance", "As large by chance", "score"),
    )
    note = f"The first {MOST_PARAMETERS} are drawn." if len(importances.table) > MOST_PARAMETERS else ""
    return Plate(figure, Table(figure.name, figure.title, importances.table, columns, note))


def _leaders_table(top: pd.DataFrame, tables: SweepTables, metric: Metric) -> Table:
    columns = (
        Column("rank", "Rank", "count"),
        Column("configuration", "Configuration", "name"),
        *(Column(PARAMS + path, path, "number", missing="none") for path in tables.parameters),
        Column("score_mean", "Mean", "score"),
        Column("score_std", "Standard deviation", "score"),
        Column("behind", "Behind the first", "score"),
        Column("lower", "From", "score"),
        Column("upper", "to", "score"),
        Column("verdict", "From the first"),
    )
    note = f"{metric.label}. From, to: 95 % interval, over what the lead of the first is over, each for itself."
    return Table("leaders", "The best configurations", top, columns, note)


def _bounds_table(ends: pd.DataFrame) -> Table:
    columns = (
        Column("parameter", "Hyperparameter", "name"),
        Column("scale", "Distribution"),
        Column("end", "End"),
        Column("bound", "Bound", "number"),
        Column("near", "Of the best, near it", "count"),
        Column("best", "Best", "count"),
        Column("near_all", "Of all, near it", "count"),
        Column("configurations", "All", "count"),
        Column("by_chance", "By chance", "number"),
    )
    note = (
        "Near: within 5 % of the range, on the distribution's own scale. By chance: probability of this number or more "
        "if the hyperparameter has no effect."
    )
    return Table("bounds", "Ends of the searched ranges", ends, columns, note)


def _assumptions(
    tables: SweepTables, ends: pd.DataFrame, importances: Importance, top: pd.DataFrame
) -> tuple[str, ...]:
    notes = []
    if len(ends):
        notes.append(
            f"The best: a tenth of the {int(ends['configurations'].max())} configurations with a mean, at least one. "
            f"The {len(ends)} ends are tested separately without correction; among many, one may be hit by chance."
        )
    conditional = [path for path, distribution in tables.spec.space.items() if distribution.when]
    if conditional:
        notes.append(
            f"Only some configurations have {listed(conditional)}: the best are a tenth of these, and importance "
            "leaves these fields out."
        )
    if not importances.refusal:
        notes.append(
            "Importance: PED-ANOVA, for each hyperparameter alone; joint effects of several show little. "
            f"By chance: share of {PERMUTATIONS + 1} assignments of the scores, the observed one included, with as "
            "large a divergence."
        )
    left = importances.without_score
    if left:
        notes.append(f"{counted(left, 'configuration')} without a mean (failed, not ended, stopped apart) left out.")
    stopped = tables.trials.loc[tables.trials["status"] == "stopped", "configuration"].nunique()
    if stopped:
        notes.append(
            f"{counted(stopped, 'configuration')} stopped early count with the best score so far, which "
            "full training can only improve."
        )
    search = tables.spec.search.name
    if not is_even(search):
        notes.append(
            f"A '{search}' search need not cover the space evenly: where it looked is part of what is seen here."
        )
    if len(top) > 1:
        notes.append(
            "The first was chosen by the same scores, which makes its lead too large; the intervals are not corrected "
            "for comparing with several."
        )
    return tuple(notes) or ("No configuration has a mean score over its seeds, so there is nothing to rank.",)
