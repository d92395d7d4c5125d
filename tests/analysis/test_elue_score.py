"""ELUE's score against brute force, what it refuses, its board against the published one, and lines with seeds."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from told import tells

from greenexp.analysis import elue_score
from greenexp.analysis.elue.board import BoardModel, board_average, board_table, half_up, track_table
from greenexp.analysis.elue.line import BaselineLine
from greenexp.analysis.elue.study import ElueOptions, elue_study
from greenexp.errors import InputError, UnknownNameError
from greenexp.records.scored_lines import ELUE_TASKS, CostConvention, ScoredLine

BASELINE = [(100.0, 70.0), (200.0, 80.0), (400.0, 85.0), (800.0, 84.0)]


def by_hand(points: list[tuple[float, float]], baseline: list[tuple[float, float]]) -> float:
    """The mean of p - b(f), segment by segment."""
    line = sorted(baseline)
    heights = []
    for flops, score in points:
        (f0, p0), (f1, p1) = next(pair for pair in itertools.pairwise(line) if pair[0][0] <= flops <= pair[1][0])
        heights.append(score - (p0 + (p1 - p0) * (flops - f0) / (f1 - f0)))
    return sum(heights) / len(heights)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_height_over_straight_segments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = [(float(f), float(p)) for f, p in zip(rng.uniform(100, 800, 9), rng.uniform(60, 90, 9), strict=True)]
    baseline = [BASELINE[place] for place in rng.permutation(len(BASELINE))]
    expected = by_hand(points, baseline)
    assert elue_score(points, baseline) == pytest.approx(expected, abs=1e-12)
    named = pd.DataFrame([(p, 1, f) for f, p in points], columns=["points", "x", "mflops"])
    of_two = pd.DataFrame(points, columns=["MFLOPs", "Points"])
    for given in (np.array(points), pd.DataFrame(points), of_two, named, iter(points)):
        assert elue_score(given, np.array(baseline)) == pytest.approx(expected, abs=1e-12)
    doubled = [(2 * f, p) for f, p in points], [(2 * f, p) for f, p in baseline]
    assert elue_score(*doubled) == pytest.approx(expected, abs=1e-12)


def test_a_baseline_is_worth_0_against_itself_and_order_does_not_matter() -> None:
    assert elue_score(BASELINE, BASELINE) == 0
    points = [(100 + i, 70 + i / 7) for i in range(50)]
    assert elue_score(points, BASELINE) == elue_score(points[::-1], BASELINE)


def test_it_is_a_number_that_knows_its_points() -> None:
    score = elue_score([(150, 80.0)], BASELINE)
    assert isinstance(score, float)
    assert (score, score.clamped, score.at_baseline.tolist()) == (5.0, 0, [75.0])
    assert pickle.loads(pickle.dumps(score)) == 5.0  # noqa: S301


def test_points_outside_are_refused_by_name_or_clamped() -> None:
    points = [(50.0, 71.0), (150.0, 75.0), (900.0, 90.0)]
    with pytest.raises(InputError) as refused:
        elue_score(points, BASELINE)
    assert tells(str(refused.value), "2 of 3 … 100 to 800 MFLOPs … row 0 at 50 … row 2 at 900")
    clamped = elue_score(points, BASELINE, outside="clamp")
    assert clamped == pytest.approx((1 + 0 + 6) / 3)
    assert clamped.clamped == 2
    edges = [(100.0, 70.0), (800.0 * (1 + 1e-15), 84.0)]
    assert elue_score(edges, BASELINE) == pytest.approx(0)


@pytest.mark.parametrize(
    ("points", "baseline", "facts"),
    [
        ([], BASELINE, "points … no row"),
        ([(150, math.nan)], BASELINE, "points, row 0 … finite … nan"),
        ([(150, 80), (math.inf, 80)], BASELINE, "points, row 1 … inf"),
        ([(-1, 80)], BASELINE, "row 0 … negative … -1"),
        ([(150, 80, 3)], BASELINE, "row 0 … two numbers"),
        ((150, 80), BASELINE, "row 0 … two numbers … 150"),
        ([("a", "b")], BASELINE, "row 0 … two numbers"),
        ("150,80", BASELINE, "points … str"),
        (None, BASELINE, "points … NoneType"),
        (pd.DataFrame({"a": [1], "b": [2], "c": [3]}), BASELINE, "mflops and points … a, b, c"),
        (np.array(5.0), BASELINE, "points … ndarray"),
        (pd.DataFrame({"points": [80], "flops": [150]}), BASELINE, "points … first … mflops … points, flops"),
        (pd.DataFrame({"accuracy": [80], "MFLOPs": [150]}), BASELINE, "points … first … accuracy, MFLOPs"),
        (pd.DataFrame([[150, 80]], columns=["Cost", "cost"]), BASELINE, "points … first … Cost, cost"),
        (
            pd.DataFrame([[150, 80, 81]], columns=["mflops", "points", "Points"]),
            BASELINE,
            "points … more than one … mflops, points, Points",
        ),
        ([(150, 1e308), (150, 1e308)], BASELINE, "sum … 1e+308"),
        ([(150, 1e308)], [(100, -1e308), (200, -1e308)], "no number … 1e+308"),
        ([(0, 1)], [(0, 1e8), (5e-320, 0), (1, 0)], "baseline … slope … 1e+08 … 0 MFLOPs … 4.99994e-320"),
        ([(150, 80)], [(100, 70)], "baseline … one point"),
        ([(150, 80)], [(100, 70), (200, 80), (100, 71)], "baseline … 100 MFLOPs … more than once"),
        ([(150, 80)], [(100, 70), (200, math.nan)], "baseline, row 1 … nan"),
    ],
)
def test_what_is_no_line_is_refused_with_its_place(points: Any, baseline: Any, facts: str) -> None:
    with pytest.raises(InputError) as refused:
        elue_score(points, baseline)
    assert tells(str(refused.value), facts), refused.value


def test_the_option_outside_has_two_values() -> None:
    with pytest.raises(InputError, match=r"'clam'.*'clamp'"):
        elue_score([(150, 80)], BASELINE, outside="clam")  # type: ignore[arg-type]


# The board of the benchmark's slides (31 October 2021): scores in the order of ELUE_TASKS, and the average in print.
BOARD = [
    ("ElasticBERT-BASE", (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), 0.0),
    ("ElasticBERT-patience", (0.37, 0.2, 0.02, 0.38, -1.04, -0.45), -0.09),
    ("ALBERT-PABEE", (-1.34, -0.22, -0.85, -0.4, -2.97, -2.1), -1.31),
    ("ALBERT-BASE", (-2.3, -1.07, -1.66, -1.49, -0.31, -2.7), -1.59),
    ("RoBERTa-BASE", (-0.9, -0.12, -0.69, -3.31, -2.86, -5.15), -2.17),
    ("BERT-BASE", (-4.55, -2.15, -1.5, -3.35, -5.88, -4.75), -3.7),
    # The paper's table, where it differs or adds a model.
    ("TinyBERT-6L", (-1.7, -3.7, -0.8, -2.5, -2.6, -1.9), -2.2),
    ("ElasticBERT-patience, paper", (0.37, 0.2, 0.02, 0.38, -1.04, -0.46), -0.09),
    ("DeeBERT(BERT)", (-12.1, -14.0, -8.36, -6.17, -4.92, None), None),
    ("DeeBERT(RoBERTa)", (-1.98, -4.4, -23.39, -9.82, -2.72, None), None),
    ("ElasticBERT-entropy", (0.96, 1.03, 0.01, 0.69, -0.22, None), None),
]
MPARAMS = {"ElasticBERT-BASE": 109.0, "ALBERT-PABEE": 18.0, "ALBERT-BASE": 12.0, "RoBERTa-BASE": 125.0}


@pytest.mark.parametrize(("model", "scores", "average"), BOARD)
def test_the_published_averages_are_reproduced(
    model: str, scores: tuple[float | None, ...], average: float | None
) -> None:
    assert board_average(dict(zip(ELUE_TASKS, scores, strict=True))) == average


def test_the_published_board_is_in_its_order() -> None:
    best = {"SST-2": 90.0}
    entries = [BoardModel(name, MPARAMS.get(name), dict(zip(ELUE_TASKS, s, strict=True)), best) for name, s, _ in BOARD]
    table = board_table(entries[::-1])
    averages = table["average"].dropna().tolist()
    assert averages == sorted(averages, reverse=True)
    assert table["model"].iloc[0] == "ElasticBERT-BASE"
    assert len(averages) == 8
    tracks = track_table(entries)
    assert tracks.groupby("track_mparams")["model"].apply(set).to_dict() == {
        40: {"ALBERT-PABEE", "ALBERT-BASE"}, 55: {"ALBERT-PABEE", "ALBERT-BASE"},
        70: {"ALBERT-PABEE", "ALBERT-BASE"}, 110: {"ALBERT-PABEE", "ALBERT-BASE", "ElasticBERT-BASE"},
    }  # fmt: skip
    assert set(tracks["SST-2"]) == {90.0}


def test_rounding_is_half_up_of_the_printed_decimal() -> None:
    halves = {2.675: 2.68, -2.675: -2.68, 0.005: 0.01, -0.005: -0.01, 1.004999: 1.0, -0.001: 0.0, 3: 3.0}
    assert {value: half_up(value) for value in halves} == halves
    assert math.copysign(1, half_up(-0.001)) == 1
    with pytest.raises(InputError):
        half_up(math.nan)
    with pytest.raises(InputError, match=r"1e\+30"):
        half_up(1e30)


def test_another_task_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"SST2.*SST-2"):
        board_average({"SST2": 1.0})


def line(name: str, heights: list[float], *, seeds: str = "abc", cost: float = 150.0) -> ScoredLine:
    """A seed per height, each with one point so far over 75."""
    return ScoredLine(name, {s: np.array([[cost, 75 + h]]) for s, h in zip(seeds, heights, strict=True)})


def flat(*heights: float, seeds: str = "abc") -> ScoredLine:
    return ScoredLine(
        "flat", {s: np.array([[100.0, 75 + h], [200.0, 75 + h]]) for s, h in zip(seeds, heights, strict=False)}
    )


def test_equal_seeds_are_paired() -> None:
    ours, theirs = [1.0, 2.5, 4.0], [0.5, 1.0, 3.0]
    (row,) = elue_study([line("x", ours)], flat(*theirs)).tables["scores"].to_dict("records")
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert row["score"] == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(expected))


def test_other_seeds_are_compared_as_welch_does() -> None:
    ours, theirs = [1.0, 2.5, 4.0], [0.5, 1.0]
    found = elue_study([line("x", ours)], flat(*theirs, seeds="pq"), ElueOptions(confidence=0.9))
    (row,) = found.tables["scores"].to_dict("records")
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.9)
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(expected))
    assert row["score"] == pytest.approx(np.mean(ours) - np.mean(theirs))
    points = found.tables["points"]
    assert points["difference"].tolist() == pytest.approx([height - 0.75 for height in ours])


def test_one_seed_has_no_interval_and_a_baseline_of_one_is_taken_as_it_is() -> None:
    alone = elue_study([line("x", [1.0], seeds="a")], flat(0.0, 1.0)).tables["scores"].iloc[0]
    assert math.isnan(alone["lower"])
    against_one = elue_study([line("x", [1.0, 2.0, 6.0])], flat(0.0, seeds="z")).tables["scores"].iloc[0]
    expected = stats.ttest_1samp([1.0, 2.0, 6.0], 0).confidence_interval(0.95)
    assert (against_one["lower"], against_one["upper"]) == pytest.approx(tuple(expected))


def test_of_a_line_of_many_points_some_are_chosen_evenly_within_the_range() -> None:
    costs = np.concatenate([np.linspace(100, 120, 200), np.linspace(121, 820, 50)])
    many = ScoredLine("m", {"a": np.column_stack([costs, np.full(250, 80.0)])}, choosable=True)
    against = ScoredLine("b", {"z": np.array(BASELINE)})
    found = elue_study([many], against, ElueOptions(most_points=8))
    chosen = found.tables["points"]["mflops"].to_numpy()
    assert len(chosen) <= 8
    assert (chosen[0], chosen[-1]) == (100, costs[costs <= 800][-1])
    assert np.diff(chosen).max() < 2 * np.diff(chosen).min()
    assert any("outside" in note for note in found.notes)
    line = BaselineLine.of(BASELINE)
    assert found.tables["scores"]["score"].iloc[0] == pytest.approx(float((80 - line.at(chosen)).mean()))


def test_lines_that_do_not_fit_are_warned_of() -> None:
    shares = ScoredLine("s", {"a": np.array([[150.0, 0.8]])}, counted=CostConvention.FLOPS)
    assert elue_study([shares], flat(0.0)).warnings
    counter = ScoredLine("c", {"a": np.array([[150.0, 80.0]])}, counted=CostConvention.COUNTER_FLOPS)
    base = ScoredLine("b", {"z": np.array(BASELINE)}, counted=CostConvention.FLOPS)
    assert tells(elue_study([counter], base).warnings[0], "counter-flops … flops")
