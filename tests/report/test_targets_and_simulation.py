"""Budgets to reach a target, what more would bring, what stopping would have saved: told, or refused with a reason."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from made_sweeps import sweep

from greenexp.analysis.curves.target import budget_to_reach, probability_to_reach
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.figures.render import render_svg
from greenexp.report.sections import SECTIONS, extrapolated, simulated, target
from greenexp.report.sections.target_scores import targets

SHORT = {"seeds": 1, "epochs": 3}


def with_scores(scores, **made):
    """Random search with these scores of its trials, and curves that end at them."""
    made = {**SHORT, **made}
    tables = sweep(len(scores) // made["seeds"], **made)
    trials = tables.trials.assign(score=np.asarray(scores, dtype=float))
    ends = tables.epochs["trial"].map(trials.set_index("trial")["score"])
    sign = 1 if made.get("metric", {}).get("mode") == "min" else -1
    left = 0.1 * (1 - tables.epochs["epoch"] / made["epochs"])
    return dataclasses.replace(tables, trials=trials, epochs=tables.epochs.assign(score=ends + sign * left))


def drawn(number, seed=0, **made):
    """Scores with a tail that ends: 0.9 is the best there can be."""
    rng = np.random.default_rng(seed)
    return with_scores(0.9 - 0.2 * rng.random(number) ** (1 / 1.5), **made)


def said(section):
    return " ".join([*section.headline, *section.paragraphs, *section.assumptions])


def table(section, name):
    return next(found.frame for found in section.all_tables if found.name == name)


BROKEN = {
    "stopped": (
        lambda: sweep(12, 1, ends={"c000": ("stopped", 1)}, scheduler="asha"),
        "some of these scores are lower bounds",
        "1 of 12 trials were stopped early",
    ),
    "failed": (lambda: sweep(12, 1, ends={"c001": ("failed", 1)}), "", "1 of 12 trials did not finish"),
    "running": (
        lambda: sweep(12, 1, ends={"c001": ("running", 1)}),
        "some of these scores are lower bounds",
        "1 of 12 trials did not finish",
    ),
    "grid": (lambda: sweep(12, 1, search="grid"), "a 'grid' search is not that", "a 'grid' search is not that"),
    "one configuration": (lambda: sweep(1, 3), "1 configuration with a score says next to", "1 configuration of the 9"),
    "one failed": (
        lambda: sweep(1, 1, ends={"c000": ("failed", 0)}),
        "no configuration has a score",
        "1 configuration of the 9",
    ),
    "short": (lambda: sweep(12, 1, epochs=2), "", "a trial has 2 epochs"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_told_is_refused_in_one_sentence(name):
    make, no_target, not_simulated = BROKEN[name]
    tables = make()
    aimed, made = target.section(tables), simulated.section(tables)
    assert made.headline[0].startswith("Not simulated: ")
    assert not_simulated in made.headline[0]
    assert len(made.headline) == 1
    if no_target:
        assert aimed.headline[0].startswith("No budget to reach a target: ")
        assert no_target in aimed.headline[0]
        assert (len(aimed.headline), aimed.all_tables) == (1, ())
    assert {target.section, simulated.section} <= set(SECTIONS.values())
    for section in (aimed, made):
        assert section.assumptions
        assert not re.search(r"\b(nan|inf|None)\b", said(section))


def test_targets_in_points_and_as_shares():
    scores = np.array([0.9, 0.895, 0.894, 0.89, *[0.5] * 36])
    accuracy, loss = (
        metric_of(sweep(metric={"name": n, "mode": m})) for n, m in (("accuracy", "max"), ("loss", "min"))
    )
    assert list(targets(scores, accuracy).values()) == pytest.approx([0.9, 0.895, 0.89])
    assert [int((scores >= aim).sum()) for aim in targets(scores, accuracy).values()] == [1, 2, 4]
    found = targets(-scores, loss)
    assert list(found) == ["best seen", "best 10 %", "best 25 %"]
    assert [int((-scores <= aim).sum()) for aim in found.values()] == [1, 4, 40]
    assert list(targets(np.full(5, 2.0), loss)) == ["best seen"]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_budgets_are_those_of_the_analysis(mode):
    tables = drawn(20, seeds=2, metric={"name": "accuracy" if mode == "max" else "loss", "mode": mode})
    section = target.section(tables)
    groups = tables.trials.groupby("configuration", sort=False)
    scores, costs = groups["score"].mean().to_numpy(), groups["train_flops"].sum().to_numpy()
    aim = next(iter(targets(scores, metric_of(tables)).values()))
    expected = budget_to_reach(scores, aim, costs, minimize=mode == "min")
    shown = table(section, "budget-to-reach")
    shown = shown[shown["group"] == "best seen"]
    for column in ("trials", "trials_lower", "trials_upper", "cost", "cost_lower", "cost_upper"):
        assert shown[column].tolist() == expected.table[column].tolist()
    curve = table(section, "target-configurations")
    curve = curve[curve["group"] == "best seen"]
    again = probability_to_reach(scores, aim, curve["budget"], minimize=mode == "min")
    assert curve["probability"].tolist() == again["probability"].tolist()
    assert "was reached by 1 of 10 configurations. It takes 10 on average" in said(section)
    assert [plate.figure.name for plate in section.plates] == ["target-configurations", "target-train-flops"]


def test_a_failed_configuration_is_a_miss_and_takes_the_cost_away():
    section = target.section(with_scores([0.9, *[0.5] * 8, np.nan], ends={"c009": ("failed", 0)}))
    assert "was reached by 1 of 10 configurations" in said(section)
    assert "Not told over cost: 1 of 10 trials did not finish" in said(section)
    assert "1 configuration with a failed seed counts as not reaching any target" in said(section)
    assert len(section.plates) == 1


def test_a_target_nobody_reached_is_said_so():
    found = budget_to_reach([0.5] * 10, 0.9)
    assert target.said("a wish", found, "") == (
        "Not reached: 0.9000 (a wish). It takes at least 3.86 configurations on average (95 %)."
    )


def test_fewer_than_48_are_not_extrapolated():
    assert "47 configurations are too few" in said(target.section(drawn(47)))
    assert "are too few" not in said(target.section(drawn(48)))


def test_a_model_that_wins_its_back_test_is_drawn_with_its_error():
    section = next(
        found
        for found in (target.section(drawn(120, seed)) for seed in range(12))
        if len(found.plates) == 3 and "240" in said(found)
    )
    frame = table(section, "extrapolated")
    seen, model = frame[frame["kind"] == "from the scores"], frame[frame["kind"] == "by the model"]
    assert (seen["configurations"].max(), model["configurations"].min()) == (120, 120)
    barred = model[model["back_test_error"].notna()]
    assert set(barred["configurations"]) <= {240, 480}
    assert (barred["back_test_error"] < barred["error_without"]).all()
    first = barred.iloc[0]
    assert f"(240) at {first['median_best']:.4f}" in said(section)
    assert f"errs by {first['back_test_error']:.4f}, the best score seen by {first['error_without']:.4f}" in said(
        section
    )
    assert "by the model" in render_svg(section.plates[-1].figure)


def test_a_model_that_loses_is_not_drawn(monkeypatch):
    monkeypatch.setattr(extrapolated, "wins", lambda made: False)
    section = target.section(drawn(48))
    assert any("2 times as many configurations (96)" in sentence for sentence in section.headline)
    assert "at the factor 1 (more cannot be tested)" in said(section)
    assert [plate.figure.name for plate in section.plates] == ["target-configurations", "target-train-flops"]


def test_scores_without_a_tail_are_not_extrapolated():
    assert "Not extrapolated to more: only" in said(target.section(with_scores([0.5] * 40 + [0.6] * 20)))


@pytest.mark.parametrize("mode", ["max", "min"])
def test_stopping_by_curves_that_keep_their_order_saves_and_loses_nothing(mode):
    tables = drawn(30, epochs=9, metric={"name": "accuracy", "mode": mode})
    section = simulated.section(tables)
    frame = table(section, "simulated").set_index("way")
    full = frame.loc["full training"].set_index("begun")
    for way in ("SHA", "ASHA"):
        assert frame.loc[way, "expected_best"] == pytest.approx(full.loc[27, "expected_best"])
        assert frame.loc[way, "equal_cost"] == pytest.approx(27 * 9)
        assert frame.loc[way, "saved_percent"] == pytest.approx(100 * (1 - frame.loc[way, "cost"] / (27 * 9)))
        assert f"{way}: expected best" in said(section)
    assert "% saved" in said(section)
    assert len(full) == 30
    if mode == "max":
        assert table(simulated.section(tables), "simulated").equals(table(section, "simulated"))
    assert "Random searches of 27 configurations, drawn from this sweep's 30" in section.headline[0]


def test_stopping_what_would_have_won_costs_more_than_it_saves():
    tables = drawn(30, epochs=9)
    early = tables.epochs["epoch"] < 9
    turned = tables.epochs["score"].where(~early, 0.5 - tables.epochs["score"] / 2)
    section = simulated.section(dataclasses.replace(tables, epochs=tables.epochs.assign(score=turned)))
    assert "more spent" in said(section) or "one full run is better on average" in said(section)
    render_svg(section.plates[0].figure)
