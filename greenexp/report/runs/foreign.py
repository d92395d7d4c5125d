"""The report about runs that somebody else logged: groups compared, and what cannot be known about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from greenexp.analysis.comparing.groups import COUNTED, GroupComparison
from greenexp.analysis.findings import Findings
from greenexp.figures import Channel, comparison_figure
from greenexp.figures.comparison import MOST_GROUPS
from greenexp.report.page import Page
from greenexp.report.render import render_page
from greenexp.report.runs.first_screen import CHAPTERS, first_screen
from greenexp.report.section import Plate, Section
from greenexp.report.sections.compared_pairs import compared_section
from greenexp.report.sections.wording import counted, listed
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity
from greenexp.version import VERSION

_WORDS = {
    "failed": "failed", "killed": "killed", "not_ended": "not ended", "no_score": "finished without a score",
    "not_finite": "with a score that is NaN or infinite", "summary": "set aside as parents of runs with a score",
}  # fmt: skip
_TITLES = {
    COUNTED: "counted", "no_score": "no score", "not_finite": "score not finite", "summary": "parent, set aside",
    "not_ended": "not ended",
}  # fmt: skip
_MOST_NAMED = 4
"""Groups named in one sentence."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of which runs.

    score, cost, by: columns as the user named them; address: fit to be shown; experiments: their names; query: the
    filter, or ""; left_out: experiments without the score, and the runs in them
    """

    score: str
    cost: str | None
    by: str | None
    address: str
    experiments: tuple[str, ...]
    query: str = ""
    left_out: tuple[int, int] = (0, 0)

    @property
    def cost_unit(self) -> str:
        """Seconds are known only of `duration`; what another column counts is its own matter."""
        return "s" if self.cost == "duration" else ""


def render_runs_report(
    comparison: GroupComparison, question: Question, pairs: Findings, formats: Iterable[str], folder: Path
) -> list[Path]:
    """Write the report into `folder` and return the files; pairs: what `comparison_study` finds about the groups.

    Formats are as in `render_report`.
    """
    sections = runs_sections(comparison, question, pairs)
    first = first_screen(question.score, question.by, question.address, sections)
    return render_page(Page(f"Runs compared by {question.score}", sections, CHAPTERS, first), formats, folder)


def runs_sections(comparison: GroupComparison, question: Question, pairs: Findings) -> list[Section]:
    """All sections, in order; the best score so far only if a cost was named."""
    sections = [_headline(comparison, question), _expected(comparison, question)]
    if len(comparison.groups) > 1:
        sections.append(compared_section(pairs, question.score, _kind(comparison)))
    if question.cost:
        sections.append(_best_so_far(comparison, question))
    return [*sections, _groups(comparison, question), _runs(comparison, question), _origin(question)]


def _headline(comparison: GroupComparison, question: Question) -> Section:
    scored = comparison.scored
    split = f" in {counted(len(scored), 'group')} by {question.by}" if question.by else ""
    number = int(scored[COUNTED].sum())
    sentences = [f"{counted(number, 'run')} with a final {question.score}{split}. {_uncounted(comparison)}"]
    if number:
        best = scored.iloc[0]
        where = f" of {best['group']}" if question.by else ""
        sentences.append(f"Best run: {best['best_name'] or best['best_run']}{where}, {_text(best['best_score'])}.")
        sentences += _leaders(comparison)
    if question.cost:
        sentences.append(_paid(comparison, question))
    direction = "Smaller" if comparison.minimize else "Larger"
    return Section(
        name="headline",
        title="In short",
        headline=tuple(sentences),
        paragraphs=(f"{direction} values of {question.score} are taken as better.",),
    )


def _uncounted(comparison: GroupComparison) -> str:
    totals = {outcome: int(comparison.groups[outcome].sum()) for outcome in _WORDS}
    parts = [f"{number} {_WORDS[outcome]}" for outcome, number in totals.items() if number]
    return f"Not counted: {', '.join(parts)}." if parts else "All runs count."


def _leaders(comparison: GroupComparison) -> list[str]:
    """Who leads at one run and at the most that all groups have; for a single group, what to expect."""
    scored, shared = comparison.scored, comparison.shared
    if len(scored) == 1:
        one = f"One run drawn at random is expected to reach {_text(scored['mean_score'].iloc[0])}"
        return [f"{one}, the best of {shared} {_text(scored['shared'].iloc[0])}." if shared > 1 else f"{one}."]
    sentences = [f"Expected of one run drawn at random: {_standing(scored, 'mean_score', comparison)}."]
    if shared > 1:
        most = f"Expected best of {shared} runs, the most that every group has"
        sentences.append(f"{most}: {_standing(scored, 'shared', comparison)}.")
    sentences.append("Whether these differences are more than chance is in the section on pairs of groups.")
    return sentences


def _standing(scored: pd.DataFrame, column: str, comparison: GroupComparison) -> str:
    """`bert 0.9120, albert 0.9080`, best first."""
    order = scored.sort_values(column, ascending=comparison.minimize, kind="stable")
    return listed(
        [f"{name} {_text(value)}" for name, value in zip(order["group"], order[column], strict=True)], _MOST_NAMED
    )


def _paid(comparison: GroupComparison, question: Question) -> str:
    groups = comparison.groups
    unknown = int(groups["cost_unknown"].sum())
    if unknown:
        return f"{counted(unknown, 'run')} that ended {'has' if unknown == 1 else 'have'} no {question.cost}: no total."
    total = format_quantity(float(groups["cost"].sum()), question.cost_unit)
    return f"{question.cost} of all runs that ended, with or without a score: {total}."


def _expected(comparison: GroupComparison, question: Question) -> Section:
    """The curves over the number of runs, and everything they presume."""
    scored = comparison.scored
    title = "Expected best over the number of runs"
    if scored.empty:
        return Section("expected", title, ("No run counts, so nothing can be expected of more of them.",))
    ends = {str(name): f"N = {number}" for name, number in zip(scored["group"], scored[COUNTED], strict=True)}
    figure = comparison_figure(
        "expected-best",
        title,
        comparison.curve,
        Channel("runs", "Number of runs drawn at random", whole=True),
        Channel("expected_best", f"Expected best {question.score}"),
        ends,
    )
    columns = (
        Column("group", question.by or "Group", "text"),
        Column("runs", "Runs", "count"),
        Column("expected_best", "Expected best", _kind(comparison)),
        Column("standard_deviation", "Standard deviation of the best", _kind(comparison)),
    )
    note = "The standard deviation is of the best of that many runs, from search to search; no confidence interval."
    table = Table("expected-best", title, comparison.curve, columns, note)
    return Section(
        name="expected",
        title=title,
        headline=_ends(comparison),
        plates=(Plate(figure, table),),
        assumptions=_presumed(comparison, question),
    )


def _ends(comparison: GroupComparison) -> tuple[str, ...]:
    """That each line ends at its own N, and which groups are not drawn."""
    scored = comparison.scored
    sentences = []
    if len(scored) > 1:
        sizes = scored[COUNTED]
        one_size = sizes.min() == sizes.max()
        same = f"All lines end at N = {sizes.min()}" if one_size else (
            f"Each line ends at its own N, from {sizes.min()} to {sizes.max()} runs; beyond n = {sizes.min()} not all "
            "groups can be compared"
        )  # fmt: skip
        sentences.append(f"{same}.")
    if len(scored) > MOST_GROUPS:
        sentences.append(f"Drawn: the {MOST_GROUPS} of {len(scored)} groups with the best runs. The table has all.")
    return tuple(sentences)


def _presumed(comparison: GroupComparison, question: Question) -> tuple[str, ...]:
    notes = [
        "Unbiased estimate (draws without replacement) over the N runs of a group that finished with a finite score.",
        (
            "Presumed, and not to be checked from these records: within a group, runs are independent draws of one "
            "random search. Grid points, searches that learn from results, hand-picked runs and several seeds of one "
            "configuration are not."
        ),
        (
            f"Presumed too: the last {question.score} a run logged is its final one, and no run that counts as "
            "finished was ended early by a scheduler. MLflow records neither."
        ),
    ]
    lost = int(comparison.groups[["failed", "killed", "no_score", "not_finite"]].to_numpy().sum())
    if lost:
        notes.append(
            f"{counted(lost, 'run')} ended without a final score and {'is' if lost == 1 else 'are'} left out: the "
            "curve is over runs that give one. Failed runs also cost money, so the same budget gives fewer usable runs "
            "than the curve suggests."
        )
    if comparison.groups["summary"].sum():
        notes.append(
            "Parents of runs with a score are set aside, because their scores repeat those of their children. If the "
            "children are parts of one run (folds, epochs), keep the parents alone: --filter "
            "'tags.`mlflow.parentRunId` IS NULL'."
        )
    if comparison.runs["own"].any():
        notes.append(
            "Some of these runs are trials of greenexp sweeps; greenexp report without --score knows their seeds and "
            "which of them were stopped early."
        )
    return (*notes, _not_over_cost(comparison, question))


def _not_over_cost(comparison: GroupComparison, question: Question) -> str:
    if not question.cost:
        return "The horizontal axis counts runs, not their costs. Option --cost names a column of costs."
    costs = comparison.runs.loc[comparison.runs["outcome"] == COUNTED, "cost"]
    cheap, dear = costs.min(), costs.max()
    if len(costs) and cheap == dear and costs.notna().all():
        return f"All runs that count have the same {question.cost}, so n runs cost n times that."
    known = cheap > 0 and dear > cheap
    spread = (
        f"; here the most expensive run has {dear / cheap:.2g} times the {question.cost} of the cheapest"
        if known
        else ""
    )
    return (
        f"Expected best over cost is not drawn yet: n times the mean cost is wrong where costs vary{spread}. See the "
        "best score so far."
    )


def _best_so_far(comparison: GroupComparison, question: Question) -> Section:
    """The best score so far of each group over its cumulative cost."""
    title = f"Best score so far over {question.cost}"
    refused = [f"{name} ({reason})" for name, reason in comparison.no_best_so_far.items()]
    headline = (f"Not drawn: {listed(refused, _MOST_NAMED)}.",) if refused else ()
    if comparison.best_so_far.empty:
        return Section("best-so-far", title, headline)
    figure = comparison_figure(
        "best-so-far",
        title,
        comparison.best_so_far,
        Channel("cost", f"{question.cost}, cumulative{' (s)' if question.cost_unit else ''}"),
        Channel("score", f"Best {question.score} so far"),
        {},
        step=True,
    )
    columns = (
        Column("group", question.by or "Group", "text"),
        Column("cost", f"{question.cost}, cumulative", "quantity", question.cost_unit),
        Column("score", "Best so far", _kind(comparison)),
        Column("name", "Run"),
        Column("run", "Run id", "name"),
    )
    notes = [
        (
            "The best score so far, in the order in which the runs began. A run's cost is added when it ends; another "
            "order would give another line. Runs side by side add their costs, so this is no time on the clock."
        ),
        "Runs without a final score cost what is recorded of them; runs that have not ended are left out.",
    ]
    drawn = comparison.groups[~comparison.groups["group"].isin(list(comparison.no_best_so_far))]
    unknown = int(drawn["cost_unknown"].sum())
    if unknown:
        notes.append(
            f"{counted(unknown, 'run')} without a score {'has' if unknown == 1 else 'have'} no {question.cost} either: "
            "the lines lie too far left by what they cost."
        )
    table = Table(
        "best-so-far", title, comparison.best_so_far, columns, "The last row of a group is where its runs end."
    )
    return Section("best-so-far", title, headline, plates=(Plate(figure, table),), assumptions=tuple(notes))


def _groups(comparison: GroupComparison, question: Question) -> Section:
    kind, groups = _kind(comparison), comparison.groups
    shown = [outcome for outcome in _WORDS if groups[outcome].sum()]
    columns = [
        Column("group", question.by or "Group"),
        Column(COUNTED, "N", "count"),
        *(Column(outcome, _title(outcome), "count") for outcome in shown),
        Column("mean_score", "Mean", kind),
        Column("std_score", "Standard deviation", kind),
    ]
    if comparison.shared > 1:
        columns.append(Column("shared", f"Expected best of {comparison.shared}", kind))
    columns += [Column("best_score", "Best", kind), Column("best_name", "Best run")]
    if question.cost:
        unit = question.cost_unit
        columns += [
            Column("cost", f"{question.cost}, all", "quantity", unit, "not known of all"),
            Column("least_cost", "Lowest cost", "quantity", unit),
            Column("most_cost", "Highest cost", "quantity", unit),
        ]
    note = "N: runs that finished with a finite score. The standard deviation (n - 1) is over runs."
    return Section("groups", "Groups", tables=(Table("groups", "Groups", groups, tuple(columns), note),))


def _runs(comparison: GroupComparison, question: Question) -> Section:
    runs = comparison.runs.sort_values("score", ascending=comparison.minimize, kind="stable", ignore_index=True)
    runs = runs.assign(outcome=[_title(outcome) for outcome in runs["outcome"]])
    cost = [Column("cost", question.cost, "quantity", question.cost_unit)] if question.cost else []
    group = [Column("group", question.by)] if question.by else []
    columns = (
        Column("name", "Run"),
        *group,
        Column("outcome", "Counts"),
        Column("score", question.score, _kind(comparison)),
        *cost,
        Column("experiment", "Experiment"),
        Column("run", "Run id", "name"),
    )
    note = "Scores of runs that do not count are the last values they logged."
    return Section("runs", "Runs", tables=(Table("runs", "Runs", runs, columns, note),))


def _origin(question: Question) -> Section:
    rows = [
        ("address", question.address), ("experiments", ", ".join(question.experiments)), ("filter", question.query),
        ("score", question.score), ("cost", question.cost or ""), ("by", question.by or ""), ("greenexp", VERSION),
    ]  # fmt: skip
    others, runs = question.left_out
    left = f"{counted(runs, 'run')} in {counted(others, 'experiment')} without any {question.score} left out."
    return Section(
        name="origin",
        title="Source of the runs",
        paragraphs=(left,) if runs else (),
        tables=(
            Table(
                "facts",
                "Question",
                pd.DataFrame(rows, columns=["fact", "value"]),
                (Column("fact", "Fact"), Column("value", "Value", "prose")),
            ),
        ),
    )


def _title(outcome: str) -> str:
    return _TITLES.get(outcome, outcome)


def _kind(comparison: GroupComparison) -> str:
    """Four decimals for scores about one, four digits for losses and counts of any size."""
    best = comparison.scored["mean_score"].abs()
    return "score" if len(best) and 0.05 <= best.max() < 100 else "number"


def _text(value: float) -> str:
    return f"{value:.4f}" if 0.05 <= abs(value) < 100 else f"{value:.4g}"
