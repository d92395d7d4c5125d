"""Scores and costs by group, wherever they are recorded: a table in a file, anybody's MLflow runs, or a sweep.

What `greenexp curve` and `greenexp compare` compute with. A trial that crashed, was killed, or logged a score that is
no finite number has a cost and no score: its score is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from greenexp.cli.columns import read_columns
from greenexp.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from greenexp.records.tables import SweepTables

Floats = NDArray[np.float64]
ALL = "all"
FILES = (".csv", ".tsv", ".txt", ".parquet")


@dataclass(frozen=True, eq=False)
class Group:
    """scores: [N], NaN of a trial without one; costs, tests: [N], of the same trials, or None if not asked for.

    The trials are in the order of the rows of a file or in which runs began; those of a sweep in the order of its plan.
    """

    scores: Floats
    costs: Floats | None = None
    tests: Floats | None = None

    @property
    def scored(self) -> Floats:
        """The scores there are."""
        return self.scores[~np.isnan(self.scores)]

    @property
    def crashed(self) -> int:
        """Trials without a score."""
        return int(np.isnan(self.scores).sum())

    @property
    def ties(self) -> int:
        """Scores that are equal to an earlier one."""
        return self.scored.size - np.unique(self.scored).size


@dataclass(frozen=True)
class ScoreTable:
    """Groups by name, in the order met.

    score, cost, by: what they are, for headings (cost, by: None if not asked for); minimize: a smaller score is better
    bound: "" if these are full scores, else what they are of those, `lower bound` or `upper bound`
    notes: what must be known of them, one sentence each
    """

    groups: Mapping[str, Group]
    score: str
    cost: str | None
    by: str | None
    minimize: bool
    bound: str = ""
    notes: tuple[str, ...] = ()


def read_scores(
    source: str,
    score: str | None,
    cost: str | None,
    by: str | None,
    *,
    minimize: bool,
    query: str | None = None,
    test: str | None = None,
) -> ScoreTable:
    """The groups at `source`: a file by its suffix, a sweep's folder, or, with `score`, runs at an MLflow address.

    query: only runs that answer it, in MLflow's language; test: the column of test scores, of a file or of runs
    """
    path = Path(source)
    if query is not None and (score is None or path.suffix.lower() in FILES):
        raise InputError("--filter: only for runs at an MLflow address, with --score")
    if path.suffix.lower() in FILES:
        if score is None:
            raise InputError(f"--score COLUMN is needed: which column of {source} holds the scores?")
        return _of_file(path, score, cost, by, minimize, test)
    if score is None:
        if test is not None:
            raise InputError("--test: a sweep evaluates its chosen configuration alone on test, and that is no curve")
        return _of_sweep(source, cost, by, minimize)
    if path.is_file():
        raise InputError(f"{source}: expected a table that ends in {', '.join(FILES)}")
    if (path / "journal.jsonl").is_file():
        raise InputError(f"{source} is a sweep's folder, and its score is the metric of its sweep file: no --score")
    return _of_runs(source, score, cost, by, minimize, query or "", test)


def _of_file(path: Path, score: str, cost: str | None, by: str | None, minimize: bool, test: str | None) -> ScoreTable:
    found = read_columns(path, [score, *(name for name in (cost, test) if name)], [by] if by else [])
    scores = found.numbers[score].copy()
    strange = np.isinf(scores)
    scores[strange] = np.nan
    notes = [f"{int(strange.sum())} infinite scores count as no score"] if strange.any() else []
    prices = found.numbers[cost] if cost else None
    if prices is not None:
        wrong = np.flatnonzero(~(np.isfinite(prices) & (prices > 0)))
        if wrong.size:
            place = f"{path}:{found.lines[wrong[0]]}"
            raise InputError(
                f"{place}: --cost {cost}: {wrong.size} of {prices.size} costs are missing, infinite or not above 0 "
                f"(here: {prices[wrong[0]]:g}); a trial that crashed has its cost too"
            )
    names = found.words[by] if by else [ALL] * scores.size
    groups = _grouped(names, scores, prices, found.numbers[test] if test else None)
    return ScoreTable(groups, score, cost, by, minimize, "", tuple(notes))


def _of_runs(
    source: str, score: str, cost: str | None, by: str | None, minimize: bool, query: str, test: str | None
) -> ScoreTable:
    from greenexp.analysis.comparing.groups import COUNTED
    from greenexp.cli.foreign import compare_runs

    comparison, _ = compare_runs(source, score, cost, by, minimize=minimize, experiments=(), query=query)
    runs = comparison.runs
    left = runs["outcome"].isin(["not_ended", "summary"])
    notes = []
    for outcome, words in (("not_ended", "have not ended"), ("summary", "are parents of runs with a score")):
        number = int((runs["outcome"] == outcome).sum())
        if number:
            notes.append(f"{number} of {len(runs)} runs {words} and are left out")
    notes.append(
        "the runs are taken for independent draws from one distribution, as a random search makes them; MLflow does "
        "not record whether they are"
    )
    if runs["own"].any():
        notes.append(
            f"{int(runs['own'].sum())} runs belong to sweeps of greenexp, where runs are seeds of configurations and "
            "may have been stopped early: leave --score out to have a sweep read as what it is"
        )
    kept = runs[~left]
    scores = kept["score"].where(kept["outcome"] == COUNTED).to_numpy(dtype=np.float64, na_value=np.nan)
    prices = kept["cost"].to_numpy(dtype=np.float64) if cost else None
    if prices is not None and not (prices > 0).all():
        run = kept["name"].iloc[int(np.flatnonzero(~(prices > 0))[0])]
        raise InputError(f"--cost {cost}: {int((~(prices > 0)).sum())} runs have no cost above 0, the first is {run}")
    ends: Floats | None = None
    if test:
        from greenexp.cli.foreign import scores_of_runs

        ends = np.asarray(kept["run"].map(scores_of_runs(source, test, query)), dtype=np.float64)
    groups = _grouped(list(kept["group"]), scores, prices, ends)
    return ScoreTable(groups, score, cost, by, minimize, "", tuple(notes))


def _of_sweep(source: str, cost: str | None, by: str | None, minimize: bool) -> ScoreTable:
    from greenexp.analysis.curves.evp import expected_best
    from greenexp.analysis.sweeps.metric import metric_of
    from greenexp.cli.sources import read_source

    tables, _ = read_source(source)
    metric = metric_of(tables)
    if minimize:
        raise InputError(f"--minimize: the sweep file says which is better ({metric.name}, mode {metric.mode})")
    best = expected_best(tables)
    if best.refusal:
        raise InputError(f"no curve of {source}: {best.refusal}")
    names = searched_values(tables, by, list(best.values))
    prices = None if cost is None else _paid(tables, source, cost, list(best.values))
    scores = np.array(list(best.values.values()))
    groups = _grouped(names, scores, prices)
    return ScoreTable(groups, metric.label, cost, by, metric.minimize, best.bound, best.notes)


def searched_values(tables: SweepTables, by: str | None, configurations: list[str]) -> list[str]:
    """The value of the searched field `by` of each configuration."""
    if by is None:
        return [ALL] * len(configurations)
    field = by.removeprefix("params.")
    if field not in tables.parameters:
        known = tables.parameters
        raise InputError(
            f"--by {by}: not a searched field{did_you_mean(field, known)} (searched: {', '.join(known) or 'none'})"
        )
    values = tables.trials.drop_duplicates("configuration").set_index("configuration")[f"params.{field}"]
    return [str(values[name]) for name in configurations]


def _paid(tables: SweepTables, source: str, axis: str, configurations: list[str]) -> Floats:
    """What all seeds of each configuration cost on a budget axis; InputError where that gives no curve."""
    from greenexp.analysis.curves.evp_over_cost import expected_over_cost
    from greenexp.records.axes import AXES
    from greenexp.records.tables import SUMMED_COSTS

    axes = [name for name in AXES if name in {*SUMMED_COSTS, "epochs"}]
    if axis not in axes:
        raise InputError(f"--cost {axis}: not a cost of a trial{did_you_mean(axis, axes)} (known: {', '.join(axes)})")
    refusal = expected_over_cost(tables, axis).refusal
    if refusal:
        raise InputError(f"no curve of {source} over {axis}: {refusal}")
    totals = tables.trials.groupby("configuration", sort=False)[axis].sum()
    return totals.reindex(configurations).to_numpy(dtype=np.float64)


def _grouped(names: list[str], scores: Floats, costs: Floats | None, tests: Floats | None = None) -> dict[str, Group]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return {
        name: Group(scores[of], *(None if column is None else column[of] for column in (costs, tests)))
        for name, of in places.items()
    }
