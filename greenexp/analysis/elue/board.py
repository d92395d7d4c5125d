"""ELUE's board: six scores and their average, rounded as the benchmark's server rounds, in tracks by parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import pandas as pd

from greenexp.errors import InputError, UnknownNameError
from greenexp.records.scored_lines import ELUE_TASKS

TRACKS_MPARAMS = (40, 55, 70, 110)
"""Millions of parameters up to which a model is in a track."""
DECIMALS = 2


def half_up(value: float | Decimal, decimals: int = DECIMALS) -> float:
    """The decimal as it is printed, rounded to `decimals`; of two equally near the one further from 0.

    So rounds BigDecimal.ROUND_HALF_UP, which the benchmark's server uses: 2.675 becomes 2.68, where Python's round sees
    the binary number just below it and gives 2.67. Raises InputError for what is not finite, or has more digits than a
    Decimal keeps.
    """
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        raise InputError(f"a score of {value} cannot be rounded")
    try:
        rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    except InvalidOperation:
        raise InputError(f"a score of {value} is too large to be rounded to {decimals} decimals") from None
    return float(rounded) + 0.0  # no -0.0


def board_average(scores: Mapping[str, float | None]) -> float | None:
    """Unweighted mean of the six tasks' scores, half up to two decimals; None unless all six are there.

    scores: task -> score, each rounded half up to two decimals first, as the server stores them. Source: the
    benchmark's server (DataServiceImpl). Raises UnknownNameError for another task.
    """
    for name in scores:
        if name not in ELUE_TASKS:
            raise UnknownNameError("task of ELUE", name, ELUE_TASKS)
    given = [scores.get(name) for name in ELUE_TASKS]
    if any(score is None or math.isnan(score) for score in given):
        return None
    exact = [Decimal(repr(half_up(score))) for score in given if score is not None]
    return half_up(sum(exact, Decimal()) / len(ELUE_TASKS))


@dataclass(frozen=True, slots=True)
class BoardModel:
    """One model on the board.

    mparams: the most millions of parameters that any of its points has; None where it is not known
    scores: task -> ELUE score; best: task -> its best performance over its points, in points
    """

    name: str
    mparams: float | None
    scores: Mapping[str, float | None]
    best: Mapping[str, float | None]


def board_table(entries: Sequence[BoardModel]) -> pd.DataFrame:
    """Model, a column per task, mparams, average: best average first, models without one last, in the order given."""
    rows = [
        {
            "model": entry.name,
            **{name: _rounded(entry.scores.get(name)) for name in ELUE_TASKS},
            "mparams": math.nan if entry.mparams is None else entry.mparams,
            "average": _or_nan(board_average({name: entry.scores.get(name) for name in ELUE_TASKS})),
        }
        for entry in entries
    ]
    table = pd.DataFrame(rows, columns=["model", *ELUE_TASKS, "mparams", "average"])
    return table.sort_values("average", ascending=False, kind="stable", na_position="last").reset_index(drop=True)


def track_table(entries: Sequence[BoardModel]) -> pd.DataFrame:
    """Track, model, a column per task, mparams: of each track the models with at most its parameters.

    In a track the columns are the best performance over a model's points, not the score: how good a model is that fits,
    whatever it costs. A model whose parameters are not known is in none.
    """
    rows = [
        {
            "track_mparams": track,
            "model": entry.name,
            **{name: _rounded(entry.best.get(name)) for name in ELUE_TASKS},
            "mparams": entry.mparams,
        }
        for track in TRACKS_MPARAMS
        for entry in entries
        if entry.mparams is not None and entry.mparams <= track
    ]
    return pd.DataFrame(rows, columns=["track_mparams", "model", *ELUE_TASKS, "mparams"])


def _rounded(value: float | None) -> float:
    return math.nan if value is None or math.isnan(value) else half_up(value)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
