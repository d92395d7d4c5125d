"""The ELUE score: how high operating points lie over a baseline's line at equal FLOPs, on average."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from greenexp.analysis.elue.line import MOST_NAMED, OUTSIDE, BaselineLine, Outside, checked_rows
from greenexp.errors import InputError, did_you_mean
from greenexp.records.arrays import Floats


class ElueScore(float):
    """The score, a number as any other, that remembers which points it is the mean of.

    rows: [point, 2], MFLOPs and points, in the order given; at_baseline: [point], the line's height at each
    outside: [point], whether the point lay outside the line's range, so that the nearest end stood for the line
    """

    rows: Floats
    at_baseline: Floats
    outside: tuple[bool, ...]

    def __new__(cls, rows: Floats, line: BaselineLine) -> ElueScore:
        """Formula and source in `elue_score`. InputError for differences whose sum no number holds."""
        at_baseline = line.at(rows[:, 0])
        with np.errstate(over="ignore"):
            differences = rows[:, 1] - at_baseline
        try:
            if not np.isfinite(differences).all():
                raise OverflowError
            # fsum: the order in which points are given does not matter.
            score = super().__new__(cls, math.fsum(differences) / len(rows))
        except OverflowError:
            far = rows[np.abs(differences).argmax(), 1]
            raise InputError(
                f"no number is large enough for the sum of differences from the baseline: {far:g} points are among them"
            ) from None
        score.rows, score.at_baseline = rows, at_baseline
        score.outside = tuple(map(bool, line.outside(rows[:, 0])))
        return score

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        """A copy or a pickle is the number alone."""
        return float, (float(self),)

    @property
    def clamped(self) -> int:
        """How many points lay outside the baseline's range."""
        return sum(self.outside)


def elue_score(points: Any, baseline: Any, outside: Outside = "refuse") -> ElueScore:
    """Mean over operating points of what they score above a baseline of equal FLOPs.

    Score = 1/N sum_i (p_i - b(f_i)), with p_i the performance of point i in points (percent), f_i its mean cost of an
    example in MFLOPs, and b the straight segments between the baseline's points in the order of their FLOPs. Which
    FLOPs are counted does not matter, as long as both are counted alike: b does not change when all f are doubled.
    Source: Liu et al., "Towards Efficient NLP: A Standard Evaluation and A Strong Baseline", NAACL 2022, and the
    benchmark's site, whose baseline are the 12 layers of ElasticBERT-base; their coordinates are not published, nor
    what is done outside their range. The average of a board and its rounding are in `analysis.elue.board`.

    >>> from greenexp.analysis import elue_score
    >>> elue_score([(150, 80.0), (300, 84.0)], baseline=[(100, 76.0), (200, 80.0), (400, 84.0)])
    2.0

    Parameters
    ----------
    points, baseline : rows of (MFLOPs, points), required
        Pairs, an array [row, 2], or a data frame with the columns `mflops` and `points`, or with two columns in this
        order, whose names do not contradict it. The baseline has at least two points, each of another cost; their order
        does not matter.
    outside : "refuse" or "clamp", default "refuse"
        What becomes of points that cost less than the baseline's first or more than its last: they are refused by name,
        or set against the nearest end of the line. That flatters a point beyond the last end if the baseline
        rises with its cost, and is hard on one below the first.

    Returns
    -------
    ElueScore
        A float, in points, with `clamped`: how many points lay outside.

    Raises
    ------
    InputError
        For rows that are no finite numbers, for a baseline that is no line, for a score that is no finite number, and,
        under "refuse", for points outside its range, which the message names.

    """
    if outside not in OUTSIDE:
        near = did_you_mean(str(outside), OUTSIDE)
        raise InputError(f"outside is {outside!r}{near}: expected {' or '.join(map(repr, OUTSIDE))}")
    line = BaselineLine.of(baseline)
    score = ElueScore(checked_rows(points, "points"), line)
    if outside == "refuse" and score.clamped:
        raise InputError(_refusal(score, line))
    return score


def _refusal(score: ElueScore, line: BaselineLine) -> str:
    places = [place for place, wrong in enumerate(score.outside) if wrong]
    shown = ", ".join(f"row {place} at {score.rows[place, 0]:g} MFLOPs" for place in places[:MOST_NAMED])
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return (
        f"{len(places)} of {len(score.rows)} points lie outside the baseline's range, {line.range_text}: "
        f"{shown}{more}. The published score does not say what holds there; `outside` as `clamp` takes the nearest "
        "end of the line"
    )
