"""How sure the tuning curve is: the median best of n configurations within its simultaneous bands."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.curves.bands import ConfidenceBand, confidence_band
from greenexp.analysis.curves.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.curves.evp import ExpectedBest, expected_best
from greenexp.analysis.curves.tuning_curve import tuning_curve, tuning_curve_error
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import Channel, banded_curve_figure
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table

NAME, TITLE = "tuning-band", "Band of the tuning curve"
CONFIDENCES = {"80": 0.8, "95": 0.95}
FEWEST = 3
"""Configurations with fewer of which every bound of every quantile is open."""


def section(tables: SweepTables) -> Section:
    """The median best of n with its 80 and 95 % bands, or why there is none."""
    metric, found = metric_of(tables), expected_best(tables)
    if found.refusal:
        return Section(NAME, TITLE, (f"No band: {found.refusal}.",), assumptions=(_PRESUMES,))
    scores = _scores(found)
    number = len(scores)
    if number < FEWEST:
        few = f"{counted(number, 'configuration')} with a score {'is' if number == 1 else 'are'} too few"
        said = f"No band: {few}; with fewer than {FEWEST} every bound is open."
        return Section(NAME, TITLE, (said,), assumptions=(_PRESUMES, *found.notes))
    sign = -1.0 if metric.minimize else 1.0
    bands = {name: confidence_band(sign * scores, value) for name, value in CONFIDENCES.items()}
    frame = _table(scores, found, metric)
    return Section(
        name=NAME,
        title=TITLE,
        headline=(_lasting(frame, found, metric), *_open(bands, found), *_first(frame)),
        plates=(_plate(frame, found, metric),),
        assumptions=_assumptions(found, bands["95"], metric, tables),
    )


def _scores(found: ExpectedBest) -> NDArray[np.float64]:
    entered: dict[str, float] = found.values  # noqa: PD011 - a field, not of a frame
    return np.array(list(entered.values()))


def _table(scores: NDArray[np.float64], found: ExpectedBest, metric: SweepMetric) -> pd.DataFrame:
    """configurations, median_best, lower_80, upper_80, lower_95, upper_95 (NaN: open); of estimates also the mean."""
    sizes = found.curve["configurations"].to_numpy()
    columns = {"configurations": sizes, "median_best": tuning_curve(scores, sizes, "median", metric.minimize)}
    for name, confidence in CONFIDENCES.items():
        band = tuning_curve_band(scores, sizes, confidence, minimize=metric.minimize)
        for side in ("lower", "upper"):
            columns[f"{side}_{name}"] = band[side].where(np.isfinite(band[side])).to_numpy()
    if not found.bound:  # how much bounds vary says nothing about how much full scores do
        columns["mean_best"] = found.curve["expected_best"].to_numpy()
        columns["mean_error"] = tuning_curve_error(scores, sizes, metric.minimize)
    return pd.DataFrame(columns)


def _plate(frame: pd.DataFrame, found: ExpectedBest, metric: SweepMetric) -> Plate:
    bound = f", {found.bound}s" if found.bound else ""
    figure = banded_curve_figure(
        "tuning-band",
        f"Median best of n configurations with its bands{bound}",
        frame,
        Channel("configurations", "Configurations drawn at random", whole=True),
        Channel("median_best", f"Median best {metric.label}"),
        tuple(CONFIDENCES),
    )
    columns = [
        Column("configurations", "Configurations", "count"),
        Column("median_best", "Median best", "score"),
        *(
            Column(f"{side}_{name}", f"{name} %, {title}", "score", missing="open")
            for name in CONFIDENCES
            for side, title in (("lower", "from"), ("upper", "to"))
        ),
    ]
    note = "Each band holds at all n together. open: the band does not end there."
    if "mean_best" in frame:
        columns += [Column("mean_best", "Mean best", "score"), Column("mean_error", "Its standard error", "score")]
        note += " The standard error of the mean is the jackknife's, and does not exist for all configurations."
    return Plate(figure, Table(figure.name, figure.title, frame, tuple(columns), note))


def _lasting(frame: pd.DataFrame, found: ExpectedBest, metric: SweepMetric) -> str:
    """The side that lasts: what the best of all n is at least worth."""
    last = frame.iloc[-1]
    side, words = ("upper", "at most") if metric.minimize else ("lower", "at least")
    number = int(last["configurations"])
    what = f" of these {found.bound}s" if found.bound else ""
    median = f"The median best of {number} configurations is {last['median_best']:.4f}{what}"
    ends = [f"{words} {last[f'{side}_{name}']:.4f} by the {name} % band" for name in CONFIDENCES
            if not np.isnan(last[f"{side}_{name}"])]  # fmt: skip
    if not ends:
        return f"{median}; the bands bound it nowhere."
    return f"{median}: {', '.join(ends)}. Each band holds at all n together."


def _open(bands: dict[str, ConfidenceBand], found: ExpectedBest) -> tuple[str, ...]:
    """Above which n the bands say nothing about how good the best can be; of bounds that is so anyway."""
    if found.bound:
        return ()
    ends = {name: int(trivial_above(band)) for name, band in bands.items()}
    if not any(ends.values()):
        few = f"{len(found.values)} configurations are too few"
        return (f"How good the median best can be at most: bounded at no n, {few}; there the bands are trivial.",)
    parts = [
        f"the {name} % band is trivial {f'above n = {last}' if last else 'at every n'}" for name, last in ends.items()
    ]
    return (f"How good the median best can be at most: {', '.join(parts)}.",)


def _first(frame: pd.DataFrame) -> tuple[str, ...]:
    """A mean with its error, which the curve of the section before has not."""
    if "mean_best" not in frame or len(frame) < 2:
        return ()
    row = frame.iloc[0]
    return (
        f"The mean of one configuration is {row['mean_best']:.4f}, with a standard error of {row['mean_error']:.4f}.",
    )


_PRESUMES = "A band presumes scores that were drawn independently from one distribution, three of them at least."


def _assumptions(
    found: ExpectedBest, band: ConfidenceBand, metric: SweepMetric, tables: SweepTables
) -> tuple[str, ...]:
    notes = [
        (
            f"Bands: equal local levels, exact for {len(found.values)} independent scores of a continuous "
            "distribution, for all n together and without a simulation. No support was assumed, so what no score "
            "bounds is open."
        ),
    ]
    if band.ties:
        notes.append(
            f"{band.ties} of {len(found.values)} scores repeat another: the distribution is not continuous, and the "
            "bands hold with more than the stated confidence."
        )
    if found.bound:
        notes.append(_of_bounds(found, metric))
        if (tables.trials["status"] == "stopped").any():
            notes.append(
                "Who was stopped depended on the other configurations, so these values are not independent, and the "
                "stated confidence is not exact."
            )
    return (*notes, *found.notes)


def _of_bounds(found: ExpectedBest, metric: SweepMetric) -> str:
    side = "upper" if metric.minimize else "lower"
    return (
        f"Curve and bands are those of the {found.bound}s. Scores after full training can only be better, so for them "
        f"the {side} end of a band still is a bound, and the other end is none."
    )
