"""The part of a section on what more configurations would bring: a model of the tail, beside its own back-test."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.curves.bands import NO_SUPPORT
from greenexp.analysis.curves.extrapolate import MIN_FITTED, Extrapolation, extrapolate
from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures import extrapolated_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table

FACTORS = (2, 4)
_PLACES = 60
_NEAR = 0.9
"""A factor this close below the one asked for counts as tested."""


@dataclass(frozen=True)
class MoreConfigurations:
    """Sentences, plates and assumptions for the section that asks."""

    sentences: tuple[str, ...]
    plates: tuple[Plate, ...] = ()
    assumptions: tuple[str, ...] = ()


def more_configurations(
    tables: SweepTables, scores: NDArray[np.float64], metric: SweepMetric, *, limited: bool
) -> MoreConfigurations:
    """The median best of 2 and 4 times as many configurations, drawn as far as the model wins its back-test.

    scores: [N], of the configurations of `tables`; limited: no score is above 1
    """
    if scores.size < 2 * MIN_FITTED:
        few = f"{counted(scores.size, 'configuration')} {'is' if scores.size == 1 else 'are'} too few to fit and check"
        return MoreConfigurations((f"Not extrapolated to more: {few} a model on; {2 * MIN_FITTED} are needed.",))
    support = (-1.0, 1.0) if limited else NO_SUPPORT
    made: dict[int, Extrapolation] = {}
    try:
        for factor in FACTORS:
            rng = np.random.default_rng(zlib.crc32(tables.history.fingerprint.encode()))
            sizes = _beyond(scores.size, factor)
            made[factor] = extrapolate(scores, sizes, rng, support=support, minimize=metric.minimize)
    except ValueError as error:
        return MoreConfigurations((f"Not extrapolated to more: {error}.",))
    lasts = [factor for factor in FACTORS if not wins(made[factor])]
    drawn = [factor for factor in FACTORS if not lasts or factor < lasts[0]]
    sentences = [_said(factor, made[factor], factor in drawn) for factor in FACTORS]
    plates = (_plate(scores, {factor: made[factor] for factor in drawn}, metric),) if drawn else ()
    seen = float(scores.min() if metric.minimize else scores.max())
    worse = [factor for factor in drawn if metric.is_better(seen, _at_end(made[factor]))]
    if worse:
        times = " and ".join(f"{factor} times" for factor in worse)
        sentences.append(
            f"At {times} as many, the model's value is worse than the best score already seen, {seen:.4f}."
        )
    return MoreConfigurations(tuple(sentences), plates, _assumptions(scores, made, drawn))


def wins(made: Extrapolation) -> bool:
    """Whether the model errs less, in its back-test, than the best score seen does."""
    return made.rms_error < made.rms_error_without


def _beyond(number: int, factor: int) -> NDArray[np.float64]:
    """From N to that many times N, both included."""
    return np.unique(np.rint(np.linspace(number, factor * number, _PLACES)))


def _at_end(made: Extrapolation) -> float:
    return float(made.table["best"].iloc[-1])


def _said(factor: int, made: Extrapolation, drawn: bool) -> str:
    times = f"{factor} times as many configurations ({factor * made.trials})"
    at = "" if _tested(factor, made) else f", at the factor {made.tested_factor:.2g} (more cannot be tested)"
    errs = f"in its back-test{at}, it errs by {made.rms_error:.4f}, the best score seen by {made.rms_error_without:.4f}"
    if not wins(made):
        return f"No extrapolation to {times}: the model has the larger error; {errs}."
    if not drawn:
        return f"No extrapolation to {times}: the model had the larger error in the back-test at a smaller factor."
    return f"A model of the tail puts the median best of {times} at {_at_end(made):.4f}; {errs}."


def _tested(factor: int, made: Extrapolation) -> bool:
    return made.tested_factor >= _NEAR * factor


def _plate(scores: NDArray[np.float64], made: dict[int, Extrapolation], metric: SweepMetric) -> Plate:
    number = scores.size
    sizes = np.unique(np.rint(np.geomspace(1, number, min(number, _PLACES))))
    seen = pd.DataFrame(
        {"configurations": sizes, "median_best": tuning_curve(scores, sizes, "median", metric.minimize)}
    ).assign(kind="from the scores", back_test_error=math.nan, error_without=math.nan, tested_factor=math.nan)
    last = made[max(made)]
    model = last.table.rename(columns={"budget": "configurations", "best": "median_best"})[
        ["configurations", "median_best"]
    ].assign(kind="by the model", back_test_error=math.nan, error_without=math.nan, tested_factor=math.nan)
    for factor, found in made.items():
        row = pd.DataFrame(
            [(float(factor * number), _at_end(found), "by the model", found.rms_error, found.rms_error_without,
              found.tested_factor)], columns=list(model.columns),
        )  # fmt: skip
        model = pd.concat([model[model["configurations"] != factor * number], row], ignore_index=True)
    frame = pd.concat([part.astype({"configurations": int}) for part in (seen, model.sort_values("configurations"))])
    frame = frame.reset_index(drop=True)
    figure = extrapolated_figure(frame, number, metric)
    columns = (
        Column("configurations", "Configurations", "count"), Column("kind", "Known"),
        Column("median_best", "Median best", "score"), Column("back_test_error", "Error of its back-test", "score"),
        Column("error_without", "Error of not extrapolating", "score"),
        Column("tested_factor", "Tested at", "factor"),
    )  # fmt: skip
    shown = frame[(frame["configurations"] == number) | frame["back_test_error"].notna()]
    note = (
        f"Errors: root mean square of {len(last.back_test)} random splits. Shown are the ends of both curves "
        f"and what was tested; the CSV has the {len(frame)} rows that are drawn."
    )
    return Plate(figure, Table(figure.name, figure.title, frame, columns, note, shown))


def _assumptions(scores: NDArray[np.float64], made: dict[int, Extrapolation], drawn: list[int]) -> tuple[str, ...]:
    first = made[FACTORS[0]]
    notes = [
        (
            f"The model: a bounded tail (generalised Pareto), fitted to the best {first.tail.used} of {scores.size} "
            "scores; true for random search alone, if at all. Its back-test fits it to a random part and asks it for "
            "the best of the rest, so the error contains the chance in what the rest found."
        )
    ]
    if drawn:
        untested = [f"{factor}" for factor in drawn if not _tested(factor, made[factor])]
        if untested:
            most = max(found.tested_factor for found in made.values())
            factors = f"The factor{'s' if len(untested) > 1 else ''} {' and '.join(untested)} could not be tested"
            notes.append(f"{factors}: a fit needs {MIN_FITTED} scores, which leaves a factor of {most:.2g} at most.")
    return tuple(notes)
