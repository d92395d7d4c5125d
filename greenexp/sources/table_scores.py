"""`Scores` of a table in a file or in memory."""

from __future__ import annotations

import numpy as np

from greenexp.analysis.seeds.trials import trial_scores
from greenexp.errors import InputError
from greenexp.records.arrays import Floats
from greenexp.records.scores import ALL, CONFIGURATION, COST, GROUP, SCORE, TEST, TRIAL, Measured, Scores, score_frame
from greenexp.sources.columns import NOT_SET, Cells, Columns, read_columns, rows_with
from greenexp.sources.request import ScoreRequest, View, check_trial_columns

OWN_ROWS = "every row counts as a trial of its own; a trial column (--trial) says which rows belong to one"


def table_scores(cells: Cells, request: ScoreRequest, view: View) -> Scores:
    """The rows of a table. InputError for what cannot be read so, with the place of what is wrong."""
    if request.query:
        raise InputError(f"a filter (--filter) is for runs at an MLflow address, and {cells.name} is a table")
    score = request.needed("score")
    if view is View.POINTS:
        request.needed("cost")
    if view is View.TRIALS:
        check_trial_columns(request)
    numbers = [name for name in (score, request.cost, request.test) if name is not None]
    words = [*request.words, *([request.by] if request.by is not None else [])]
    columns = read_columns(cells, list(dict.fromkeys(numbers)), list(dict.fromkeys(words)))
    columns = rows_with(columns, request.where)
    _refuse_empty(columns, request)
    scores, notes = _finite(columns.numbers[score], "score")
    frame = {SCORE: scores}
    if request.cost is not None:
        costs = columns.numbers[request.cost]
        if view is View.CONFIGURATIONS:
            _check_costs(columns, request.cost)
            frame[COST] = costs
        else:
            frame[COST], more = _finite(costs, "cost")
            notes += more
    if request.test is not None:
        frame[TEST] = columns.numbers[request.test]
    return _named(columns, frame, notes, request, view)


def _named(columns: Columns, numbers: dict[str, Floats], notes: list[str], request: ScoreRequest, view: View) -> Scores:
    """The numbers with the names of their groups, configurations, trials and seeds."""
    groups = [ALL] * len(columns.places) if request.by is None else columns.words[request.by]
    named: dict[str, object] = {GROUP: groups, **numbers}
    if request.configuration is not None:
        named[CONFIGURATION] = columns.words[request.configuration]
    elif view is View.TRIALS:
        named[CONFIGURATION] = groups
    named[TRIAL] = [f"{columns.unit} {place}" for place in columns.places]
    if request.trial is not None:
        named[TRIAL] = columns.words[request.trial]
    elif view is View.POINTS:
        notes = [*notes, OWN_ROWS]
    named |= {name: columns.words[name] for name in request.seeds}
    if view is View.POINTS:
        named[columns.unit] = list(columns.places)
    scores = Scores(
        frame=score_frame(named, len(columns.places)),
        score=str(request.score),
        cost=request.cost,
        by=request.by,
        test=request.test,
        minimize=request.minimize,
        seeds=request.seeds,
        shared_seeds=request.shared_seeds,
        labels=(columns.unit,) if view is View.POINTS else (),
        trials=request.trial or "",
        measured=(Measured(source=columns.name),),
        notes=tuple(notes),
    )
    return trial_scores(scores) if view is View.TRIALS else scores


def _refuse_empty(columns: Columns, request: ScoreRequest) -> None:
    """InputError for a row without a word that it must have."""
    for name, role in request.words.items():
        if role != "where" and NOT_SET in columns.words[name]:
            missing = [row for row, word in enumerate(columns.words[name]) if word == NOT_SET]
            raise InputError(
                f"{columns.place(missing[0])}: {role} column '{name}' is empty here ({len(missing)} of "
                f"{len(columns.places)} rows have no value in it)"
            )


def _finite(values: Floats, what: str) -> tuple[Floats, list[str]]:
    """The values with infinite ones as missing, and what to say of that."""
    infinite = np.isinf(values)
    if not infinite.any():
        return values, []
    number = int(infinite.sum())
    return np.where(infinite, np.nan, values), [f"{number} infinite {what}{'s' * (number > 1)} count as missing"]


def _check_costs(columns: Columns, cost: str) -> None:
    costs = columns.numbers[cost]
    wrong = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)))
    if wrong.size:
        raise InputError(
            f"{columns.place(int(wrong[0]))}: cost column '{cost}': {wrong.size} of {costs.size} costs are missing, "
            f"infinite or not above 0 (here: {costs[wrong[0]]:g}); a trial that crashed has its cost too"
        )
