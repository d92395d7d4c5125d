"""Tuning curves beyond the trials that were made, by a model of the best scores, each with its back-test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.curves.bands import NO_SUPPORT
from greenexp.analysis.curves.draft import Draft, prefix
from greenexp.analysis.curves.extrapolate import Extrapolation, extrapolate
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.tuning_curve import MEDIAN
from greenexp.analysis.numbers.trial_numbers import whole
from greenexp.records.arrays import Floats
from greenexp.records.scores import Scores

_TESTED = 0.9
"""Share of the factor of extrapolation that a back-test must reach to be one of it."""


def extrapolated_rows(name: str, values: Floats, scores: Scores, options: CurveOptions, draft: Draft) -> None:
    """A row of `extrapolated` for each budget beyond the group's trials.

    Only quantiles are extrapolated: beside an expected best that is the median. Each budget is back-tested by itself,
    so the errors are of its factor, or of the largest that the trials allow (`tested_factor`).
    """
    of = prefix(scores, name)
    level = MEDIAN if options.of_mean else options.estimator
    beyond = [n for n in whole(options.extrapolate, "extrapolate") if n > values.size]
    if len(beyond) < len(options.extrapolate):
        draft.notes.append(f"{of}up to {values.size} trials the curve itself is known: extrapolated only beyond")
    support = options.support or NO_SUPPORT
    for n in beyond:
        rng = np.random.default_rng(options.seed)
        try:
            model = extrapolate(values, [n], rng, estimator=level, support=support, minimize=scores.minimize)
        except ValueError as error:
            draft.notes.append(f"{of}not extrapolated: {error}")
            return
        row = {
            "by": name,
            "n": n,
            "scores": values.size,
            "estimator": level if isinstance(level, str) else f"quantile {level:g}",
            "best": float(model.table["best"].iloc[0]),
            "back_test_error": model.rms_error,
            "error_without": model.rms_error_without,
            "tested_factor": model.tested_factor,
        }
        draft.add("extrapolated", pd.DataFrame([row]))
        _remarks(of, model, n, values, scores, draft)


def _remarks(of: str, model: Extrapolation, n: int, values: Floats, scores: Scores, draft: Draft) -> None:
    """How far the extrapolated number can be used."""
    best, factor, tested = float(model.table["best"].iloc[0]), n / values.size, model.tested_factor
    draft.notes.append(
        f"{of}n = {n} is extrapolated from {values.size} trials, for random search alone. {model.summary}"
    )
    if tested < _TESTED * factor:
        draft.warnings.append(
            f"{of}n = {n} is {factor:.3g} times the trials made, and only the factor {tested:.3g} could be tested"
        )
    if model.rms_error >= model.rms_error_without:
        draft.warnings.append(
            f"{of}the model loses its own back-test at n = {n}: its error is {model.rms_error:.3g}, that of taking the "
            f"best score seen {model.rms_error_without:.3g}. Do not rely on this row"
        )
    seen = float(values.min() if scores.minimize else values.max())
    if best > seen if scores.minimize else best < seen:
        draft.notes.append(f"{of}the model's value at n = {n} is worse than the best score already seen, {seen:.5g}")
