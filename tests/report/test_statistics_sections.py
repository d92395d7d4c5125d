"""Bands, seeds, search space, fronts: what these sections say follows from the tables, and what they refuse, why."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp.analysis.comparing.lead_of_sweep import lead_of_best
from greenexp.analysis.comparing.score_tests import score_difference
from greenexp.analysis.curves.bands import confidence_band
from greenexp.analysis.curves.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.curves.tuning_curve import tuning_curve_error
from greenexp.report.sections import SECTIONS, front_over_trials, search_space, seeds, tuning_band

MADE = {
    "tuning-band": tuning_band.section, "front-over-trials": front_over_trials.section, "seeds": seeds.section,
    "search-space": search_space.section,
}  # fmt: skip
SPACE = {"training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-1}}


def part(tables, name):
    section = MADE[name](tables)
    assert section.name == name
    return section


def text(tables, name):
    section = part(tables, name)
    return " ".join([*section.headline, *section.paragraphs, *section.assumptions])


def table(tables, name, table_name):
    return next(found for found in part(tables, name).all_tables if found.name == table_name)


def scored(scores, configurations, seeds=1, **made):
    made = {"epochs": 2, **made}
    tables = sweep(configurations, seeds, **made)
    return dataclasses.replace(tables, trials=tables.trials.assign(score=np.asarray(scores, dtype=float)))


def random_sweep(configurations=20, seeds=1, seed=0, **made):
    rng = np.random.default_rng(seed)
    centre = 0.8 + 0.03 * rng.normal(size=(configurations, 1))
    return scored((centre + 0.01 * rng.normal(size=(configurations, seeds))).ravel(), configurations, seeds, **made)


BROKEN = {
    "stopped": lambda: random_sweep(6, 2, ends={"c000": ("stopped", 1)}, scheduler="asha"),
    "failed": lambda: random_sweep(6, 2, ends={"c001-i0-o0": ("failed", 1)}),
    "running": lambda: sweep(4, 2, ends={f"c00{c}": ("running", 1 + c) for c in range(4)}),
    "planned": lambda: sweep(4, 2, ends={f"c00{c}": ("planned", 0) for c in range(4)}),
    "grid": lambda: random_sweep(6, 2, search="grid"),
    "one configuration": lambda: sweep(1, 3, epochs=2),
    "one seed": lambda: random_sweep(6),
    "one trial": lambda: sweep(1, 1, epochs=2),
    "all equal": lambda: scored([0.5] * 12, 6, 2),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_section_ends_with_what_it_rests_on(name):
    for make in MADE.values():
        section = make(BROKEN[name]())
        assert section.headline
        assert section.assumptions
        said = " ".join([*section.headline, *section.paragraphs, *section.assumptions])
        assert not re.search(r"\b(nan|inf|None)\b", said)


def test_they_are_in_the_report():
    assert set(MADE.values()) <= set(SECTIONS.values())


# --- the band


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_band_is_that_of_the_analysis_and_open_bounds_are_empty(mode):
    tables = random_sweep(20, metric={"name": "accuracy", "mode": mode})
    frame = table(tables, "tuning-band", "tuning-band").frame
    scores, sizes = tables.trials["score"].to_numpy(), np.arange(1, 21)
    for confidence in (0.8, 0.95):
        expected = tuning_curve_band(scores, sizes, confidence, minimize=mode == "min")
        for side in ("lower", "upper"):
            shown = frame[f"{side}_{100 * confidence:.0f}"]
            finite = np.isfinite(expected[side])
            assert shown.isna().tolist() == (~finite).tolist()
            assert shown[finite].tolist() == expected.loc[finite, side].tolist()
    assert frame["mean_error"].iloc[:-1].tolist() == tuning_curve_error(scores, sizes, mode == "min")[:-1].tolist()
    said = text(tables, "tuning-band")
    side, words = ("upper", "at most") if mode == "min" else ("lower", "at least")
    assert f"{words} {frame[f'{side}_95'].iloc[-1]:.4f} by the 95 % band" in said
    signed = -scores if mode == "min" else scores
    for confidence in (0.8, 0.95):
        last = int(trivial_above(confidence_band(signed, confidence)))
        assert f"the {100 * confidence:.0f} % band is trivial above n = {last}" in said


def test_too_few_configurations_have_no_band():
    for number, words in (
        (1, "1 configuration with a score is too few"),
        (2, "2 configurations with a score are too few"),
    ):
        section = part(sweep(number, 1, epochs=2), "tuning-band")
        assert words in section.headline[0]
        assert section.plates == ()
    assert part(sweep(3, 1, epochs=2), "tuning-band").plates


def test_few_configurations_are_bounded_on_one_side_alone():
    said = text(random_sweep(5), "tuning-band")
    assert "bounded at no n, 5 configurations are too few" in said


def test_ties_are_said_and_counted():
    assert "repeat another" not in text(random_sweep(8), "tuning-band")
    tied = scored([0.7, 0.7, 0.7, 0.8, 0.8, 0.9], 6)
    assert "3 of 6 scores repeat another" in text(tied, "tuning-band")


def test_the_band_of_bounds_is_called_so():
    tables = random_sweep(8, 2, ends={"c000": ("stopped", 1)}, scheduler="asha")
    said = text(tables, "tuning-band")
    assert "of these lower bounds" in said
    assert "Curve and bands are those of the lower bounds" in said
    assert "these values are not independent" in said
    assert "trivial" not in said, "how good full scores can be is not bounded by bounds"
    assert "mean_error" not in table(tables, "tuning-band", "tuning-band").frame
    low = random_sweep(8, 2, ends={"c000": ("running", 1)}, metric={"name": "loss", "mode": "min"})
    assert "the upper end of a band still is a bound" in text(low, "tuning-band")
    assert "not independent" not in text(low, "tuning-band")


def test_a_grid_has_no_band():
    assert "a 'grid' search is not that" in text(random_sweep(8, search="grid"), "tuning-band")


# --- seeds


def test_one_seed_is_not_split():
    section = part(random_sweep(8), "seeds")
    assert "one seed" in section.headline[0]
    assert section.all_tables == ()


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_lead_is_that_of_the_paired_seeds(mode):
    tables = random_sweep(8, 4, metric={"name": "f1", "mode": mode})
    said, trials = text(tables, "seeds"), tables.trials
    means = trials.groupby("configuration")["score"].mean().sort_values(ascending=mode == "min")
    best, second = (trials.loc[trials["configuration"] == name, "score"].to_numpy() for name in means.index[:2])
    found = score_difference(best, second, paired=True)
    low, high = (-found.upper, -found.lower) if mode == "min" else (found.lower, found.upper)
    lead = lead_of_best(tables)
    assert (lead.first, lead.second) == tuple(means.index[:2])
    assert (lead.interval.lower, lead.interval.upper) == pytest.approx((low, high))
    assert str(lead.verdict) == ("not told apart" if low <= 0 <= high else "told apart")
    assert lead.sentence in said


def test_shares_of_the_variance_are_those_of_the_table():
    tables = random_sweep(8, 4)
    frame = table(tables, "seeds", "variance").frame.set_index("source")
    assert f"Between configurations lies {100 * frame.loc['configuration', 'share']:.0f} % of the variance" in text(
        tables, "seeds"
    )
    assert frame["share"].sum() == pytest.approx(1)
    assert (frame["deviation_lower"] <= frame["standard_deviation"]).all()
    more = table(tables, "seeds", "more-seeds").frame
    assert more["smallest_difference"].is_monotonic_decreasing
    plans = table(tables, "seeds", "seed-plans").frame
    assert (plans["expected_shown"] >= plans["expected_true"]).all()


def test_survivors_of_early_stopping_are_called_a_selection():
    tables = random_sweep(6, 3, ends={"c000": ("stopped", 1)}, scheduler="asha")
    said = text(tables, "seeds")
    assert "5 of 6 configurations have all their seeds finished" in said
    assert "1 configuration stopped early left out" in said
    strip = table(tables, "seeds", "seeds").frame
    assert set(strip.loc[strip["configuration"] == "c000", "status"]) == {"stopped"}


def test_one_configuration_has_seeds_and_nothing_to_compare():
    said = text(scored([0.7, 0.72, 0.75], 1, 3), "seeds")
    assert "There is one configuration: standard deviation of one trial's score over seeds 0.02517" in said
    assert lead_of_best(scored([0.7, 0.72, 0.75], 1, 3)) is None


def test_a_few_dots_are_drawn_as_dots():
    plate = part(random_sweep(4, 3), "seeds").plates[0]
    marks = [layer["mark"]["type"] for layer in plate.figure.spec["layer"]]
    assert set(marks) == {"point"}
    seeds = [row for row in plate.figure.spec["data"]["values"] if row["kind"] == "one seed"]
    assert sorted(row["score"] for row in seeds) == sorted(plate.figure.table["score"])


# --- the search space


def test_a_crowded_end_is_named_with_what_chance_does():
    rates = np.geomspace(1e-4, 1e-1, 40)
    tables = scored(np.linspace(0.5, 0.9, 40), 40, space=SPACE)
    trials = tables.trials.assign(**{"params.training.learning_rate": rates})
    said = text(dataclasses.replace(tables, trials=trials), "search-space")
    assert (
        "Near the high end of training.learning_rate (0.1): 2 of the best 4, the very best among them, and 2 of all 40"
        in said
    )
    middle = dataclasses.replace(tables, trials=trials.assign(score=-np.abs(np.linspace(-1, 1, 40))))
    assert "Near the" not in " ".join(part(middle, "search-space").headline)
    assert "best 4 configurations of 40" in text(middle, "search-space")


def test_importance_is_refused_with_few_configurations_and_drawn_with_many():
    few = part(random_sweep(20, space=SPACE), "search-space")
    assert any("20 configurations have a score, and 50 are needed" in sentence for sentence in few.headline)
    assert few.plates == ()
    many = part(random_sweep(60, space=SPACE), "search-space")
    assert [plate.figure.name for plate in many.plates] == ["importance"]
    assert many.plates[0].table.frame["importance"].sum() == pytest.approx(1)
    narrow = {"training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-3}}
    outside = text(random_sweep(60, space=narrow), "search-space")
    assert "a configuration lies outside the space of the sweep file" in outside


def test_leaders_have_the_verdicts_of_their_leads():
    noise = np.array([-0.001, 0.0, 0.001])
    tables = scored(np.concatenate([0.9 + noise, 0.8 - noise, 0.9 - 3 * noise]), 3, 3, metric={"name": "f1"})
    frame = table(tables, "search-space", "leaders").frame
    assert frame["verdict"].tolist() == ["", "not told apart", "told apart"]
    assert "1 told apart from it, 1 not told apart" in text(tables, "search-space")
    assert "cannot be told" in text(random_sweep(4), "search-space")


# --- fronts


def test_the_reference_is_stated():
    tables = random_sweep(6, 2)
    price = tables.operating_points["inference_flops"].max() / 1e6
    said = text(tables, "front-over-trials")
    assert "(0.0000)" in said
    assert f"operating point ({price:.3g} MFLOP)" in said
    assert "with one trial and" in said
    assert len(part(tables, "front-over-trials").plates) == 2


def test_stopped_trials_leave_the_seeds_of_the_chosen_one():
    tables = sweep(ends={"c000": ("stopped", 1)}, scheduler="asha")
    section = part(tables, "front-over-trials")
    assert [plate.figure.name for plate in section.plates] == ["attainment"]
    assert "2 of 8 trials were stopped early, and a front on the way is neither" in section.headline[0]
    curves = section.plates[0].table.frame
    assert set(curves["trials"]) == {1, 2}


def test_a_line_with_many_corners_is_thinned_for_reading():
    section = part(with_thresholds(sweep(2, 2, epochs=2), 200), "front-over-trials")
    attained = section.plates[1].table
    assert len(attained.rows) == 20 < len(attained.frame)
    assert f"20 of {len(attained.frame)} rows" in attained.note
    assert attained.rows["inference_flops"].max() == attained.frame["inference_flops"].max()
