"""Statistics over the tables that are replayed from logits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sweeps import sweep, with_thresholds

from greenexp.analysis.exits.calibration import calibration_summary, one_threshold
from greenexp.analysis.exits.dev_to_test import dev_to_test
from greenexp.analysis.exits.leaving import profile_at, ranked_policies
from greenexp.analysis.exits.overthinking import overthinking
from greenexp.analysis.exits.policies import is_bound, leaves_early
from greenexp.analysis.exits.policy_curves import (
    MOST_TARGETS,
    PRICES,
    coinciding,
    policy_curves,
    price_grid,
    static_points,
)
from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.records.tables import SweepTables

POLICIES = ("max_probability", "entropy", "patience", "voting", "oracle")


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    return with_thresholds(sweep(3, 2, exits=4), examples=300, policies=POLICIES, test=True)


@pytest.fixture(scope="module")
def points(tables: SweepTables) -> pd.DataFrame:
    return chosen_trials(tables).rows(tables.operating_points)


# --- whose


def test_the_chosen_trials_are_the_seeds_of_the_best_mean_best_first(tables: SweepTables) -> None:
    chosen = chosen_trials(tables)
    assert chosen.configuration == "c002"
    assert chosen.trials == ("c002-i1-o0", "c002-i0-o0")
    assert chosen.best_of(tables.trials) == "c002-i1-o0"
    assert chosen.best_of(tables.trials.iloc[:5]) == "c002-i0-o0"
    assert chosen.best_of(tables.trials.iloc[:1]) == ""


def test_without_a_whole_configuration_the_best_trial_stands_alone() -> None:
    running = chosen_trials(sweep(2, 2, ends={"c000": ("running", 2), "c001": ("running", 3)}))
    assert (running.configuration, running.trials) == ("", ("c001-i1-o0",))
    failed = chosen_trials(sweep(2, 1, ends={"c000": ("failed", 0), "c001": ("failed", 4)}))
    assert (failed.configuration, failed.trials) == ("", ())


# --- policies


def test_a_bound_is_no_choice(tables: SweepTables) -> None:
    labels = pd.Series(["static", "oracle", "oracle:never_right=first", "entropy:normalised=true", "patience"])
    assert is_bound(labels).tolist() == [False, True, True, False, False]
    assert leaves_early(labels).tolist() == [False, False, False, True, True]
    front = operating_front(tables)
    assert set(front["policy"]) == {"static", *POLICIES} - {"oracle"}
    assert len(front) == (tables.operating_points["policy"] != "oracle").sum()


# --- curves


def brute(points: pd.DataFrame, price: str, target: float) -> float:
    """The mean over trials of the best score within a price; NaN if one of them has none."""
    best = []
    for _, own in points.groupby("trial"):
        ok = own[price] >= target - 1e-9 if price == "speed_up" else own[price] <= target * (1 + 1e-9)
        best.append(own.loc[ok, "score"].max())
    return float(np.mean(best))


@pytest.mark.parametrize("price", PRICES)
def test_curves_are_means_of_the_best_within_each_price(points: pd.DataFrame, price: str) -> None:
    curves = policy_curves(points, price, minimize=False)
    assert list(dict.fromkeys(curves["policy"])) == list(POLICIES)
    grid = price_grid(points, price)
    for policy, own in points[points["policy"] != "static"].groupby("policy"):
        wanted = pd.Series([brute(own, price, target) for target in grid], grid).dropna()
        found = curves[curves["policy"] == policy]
        assert found["price"].tolist() == wanted.index.tolist()
        assert found["score_mean"].tolist() == pytest.approx(wanted.tolist(), abs=1e-12)
        falls = np.diff(found["score_mean"])
        assert (falls <= 1e-12).all() if price == "speed_up" else (falls >= -1e-12).all()
    assert (curves["trials"] == 2).all()


def test_a_smaller_score_may_be_better(points: pd.DataFrame) -> None:
    turned = policy_curves(points.assign(score=-points["score"]), "speed_up", minimize=True)
    straight = policy_curves(points, "speed_up", minimize=False)
    pd.testing.assert_frame_equal(turned.assign(score_mean=-turned["score_mean"]), straight)


def test_a_price_that_one_seed_cannot_meet_has_no_mean() -> None:
    rows = [("a", "patience", 1.0, 0.9), ("a", "patience", 3.0, 0.7), ("b", "patience", 1.2, 0.8)]
    points = pd.DataFrame(rows, columns=["trial", "policy", "speed_up", "score"])
    curve = policy_curves(points, "speed_up", np.array([1.0, 1.2, 1.3]), minimize=False)
    assert curve["price"].tolist() == [1.0, 1.2]
    assert curve["score_mean"].tolist() == pytest.approx([0.85, 0.75])
    assert curve["score_std"].tolist() == pytest.approx([np.std([0.9, 0.8], ddof=1), np.std([0.7, 0.8], ddof=1)])


@given(st.floats(1, 64))
def test_targets_are_few_round_and_reach_the_fastest(highest: float) -> None:
    grid = price_grid(pd.DataFrame({"speed_up": [1.0, highest]}), "speed_up")
    assert grid[0] == 1
    assert len(grid) <= MOST_TARGETS + 1
    assert grid[-1] <= highest + 1e-6
    if len(grid) > 1:
        assert highest - grid[-1] < np.diff(grid).max() + 1e-6


def test_a_speed_up_meets_the_target_of_the_same_number() -> None:
    layers = pd.DataFrame({"speed_up": [6 / k for k in range(1, 7)], "score": 1.0, "trial": "a", "policy": "voting"})
    curve = policy_curves(layers, "speed_up", minimize=False)
    assert {1.2, 1.5, 2.0, 3.0, 6.0} <= set(curve["price"])


def test_with_two_classes_entropy_and_probability_coincide(points: pd.DataFrame) -> None:
    assert coinciding(policy_curves(points, "speed_up", minimize=False)) == [("max_probability", "entropy")]


def test_exits_used_alone_are_means_over_seeds(points: pd.DataFrame) -> None:
    alone = static_points(points)
    assert alone["exit"].tolist() == [1, 2, 3, 4]
    assert alone["speed_up"].tolist() == pytest.approx([4, 2, 4 / 3, 1])
    own = points[(points["policy"] == "static") & (points["threshold"] == 3)]
    assert alone["score_mean"][2] == pytest.approx(own["score"].mean())


# --- at one speed-up


def test_policies_are_ranked_at_a_speed_up_all_seeds_reach(points: pd.DataFrame) -> None:
    reached, ranked = ranked_policies(points, minimize=False)
    assert reached == 2.0
    assert set(ranked["policy"]) <= set(POLICIES) - {"oracle"}
    means = ranked.set_index("policy")["score_mean"]
    assert means.tolist() == sorted(means, reverse=True)
    for policy, mean in means.items():
        assert mean == pytest.approx(brute(points[points["policy"] == policy], "speed_up", 2.0))
    slow = points[points["speed_up"] < 1.5]
    assert ranked_policies(slow, minimize=False)[0] < 1.5
    assert len(ranked_policies(slow, minimize=False)[1]) >= 1
    reached, nobody = ranked_policies(points[points["policy"].isin(["static", "oracle"])], minimize=False)
    assert (reached, len(nobody)) == (1.0, 0)


def test_the_profile_at_a_speed_up_is_the_slowest_that_meets_it(tables: SweepTables) -> None:
    own = tables.exit_profiles
    own = own[(own["trial"] == "c002-i1-o0") & (own["policy"] == "max_probability")]
    at = profile_at(own, 2.0)
    assert at["exit"].tolist() == [1, 2, 3, 4]
    assert at["share"].sum() == pytest.approx(1)
    assert at["speed_up"].iloc[0] == own.loc[own["speed_up"] >= 2, "speed_up"].min()
    assert profile_at(own, 99.0)["speed_up"].iloc[0] == own["speed_up"].max()


# --- dev to test


def test_from_dev_to_test_is_paired_by_seed(tables: SweepTables) -> None:
    rows = chosen_trials(tables).rows(tables.thresholds_on_test)
    found = dev_to_test(rows)
    assert "oracle" not in set(found["policy"])
    assert (found["trials"] == 2).all()
    for row in found.itertuples():
        own = rows[(rows["policy"] == row.policy) & (rows["target"] == row.target)]
        drop = own["dev_score"] - own["test_score"]
        assert row.drop_mean == pytest.approx(drop.mean())
        assert row.drop_std == pytest.approx(drop.std())
        assert row.dev_mean - row.test_mean == pytest.approx(row.drop_mean)
        assert (own["dev_speed_up"] >= row.target).all()
    with_oracle = pd.concat([rows, rows.assign(policy="oracle")])
    assert "oracle" not in set(dev_to_test(with_oracle)["policy"])
    assert dev_to_test(rows.iloc[:0]).empty
    slower = rows[~((rows["trial"] == "c002-i0-o0") & (rows["policy"] == "voting") & (rows["target"] >= 2))]
    left = dev_to_test(slower)
    assert left.loc[left["policy"] == "voting", "target"].max() == 1.5
    assert (left["trials"] == 2).all()


# --- overthinking


def test_overthinking_of_three_examples() -> None:
    shares = pd.DataFrame(
        {"trial": ["a"] * 3, "exit": [1, 2, 3], "layer": [2, 4, 6], "right": [2 / 3, 1 / 3, 1 / 3],
         "first_right": [2 / 3, 1 / 3, 0.0], "right_then_wrong": [1 / 3, 1 / 3, 0.0]}
    )  # fmt: skip
    found = overthinking(shares)
    row = found.trials.iloc[0]
    assert row["oracle_right"] == pytest.approx(1)
    assert row["overthought"] == pytest.approx(2 / 3)
    assert row["overthought_of_wrong"] == pytest.approx(1)
    assert found.exits["right_std"].isna().all()


def test_a_last_exit_that_is_always_right_overthinks_nothing() -> None:
    shares = pd.DataFrame(
        {"trial": ["a", "a"], "exit": [1, 2], "layer": [1, 2], "right": [0.5, 1.0], "first_right": [0.5, 0.5],
         "right_then_wrong": [0.0, 0.0]}
    )  # fmt: skip
    row = overthinking(shares).trials.iloc[0]
    assert row["overthought"] == 0
    assert np.isnan(row["overthought_of_wrong"])


def test_overthinking_is_what_the_oracle_gains(tables: SweepTables) -> None:
    found = overthinking(chosen_trials(tables).rows(tables.overthinking))
    oracle = tables.operating_points[tables.operating_points["policy"] == "oracle"].set_index("trial")["score"]
    for row in found.trials.itertuples():
        assert row.oracle_right == pytest.approx(oracle[row.trial])
    # Right somewhere and wrong at the last: at least as much as at any one exit.
    assert found.trials["overthought"].mean() >= found.exits["right_then_wrong"].max() - 1e-12


# --- calibration


def test_the_summary_keeps_remarks_and_does_not_mix_splits(tables: SweepTables) -> None:
    rows = chosen_trials(tables).rows(tables.calibration)
    marked = rows.assign(remark=["no minimum" if k == 0 else "" for k in range(len(rows))])
    summary = calibration_summary(marked)
    assert summary["split"].tolist() == ["dev"] * 4 + ["test"] * 4
    assert summary["remark"].tolist() == ["no minimum"] + [""] * 7
    assert summary["remarked"].tolist() == [1] + [0] * 7
    own = rows[(rows["exit"] == 2) & (rows["split"] == "test")]
    assert summary["ece_after"][5] == pytest.approx(own["ece_after"].mean())
    assert summary["temperature_low"][5] == own["temperature"].min()


def cells(**examples: list[int]) -> pd.DataFrame:
    rows = [
        {"exit": exit_number, "calibrated": after, "low": k / 4, "high": (k + 1) / 4, "bin": k + 1,
         "examples": examples[name][k], "accuracy": (k + 1) / 4 if examples[name][k] else np.nan}
        for name, exit_number, after in
        (("b1", 1, False), ("b9", 9, False), ("a1", 1, True), ("a9", 9, True)) if name in examples
        for k in range(4)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_one_threshold_is_the_highest_that_enough_examples_pass_everywhere() -> None:
    found = one_threshold(cells(b1=[10, 60, 26, 4], b9=[0, 0, 0, 100], a1=[0, 50, 44, 6], a9=[0, 10, 60, 30]))
    assert found["threshold"].tolist() == [0.5] * 4
    assert found["exit"].tolist() == [1, 9, 1, 9]
    assert found["calibrated"].tolist() == [False, False, True, True]
    assert found["share"].tolist() == pytest.approx([0.3, 1.0, 0.5, 0.9])
    assert found["accuracy"][0] == pytest.approx((26 * 0.75 + 4) / 30)


def test_a_threshold_that_all_pass_everywhere_says_nothing() -> None:
    same = [0, 0, 0, 100]
    assert one_threshold(cells(b1=same, b9=same, a1=same, a9=same)).empty
    assert one_threshold(cells(b1=same, a1=same)).empty
    assert one_threshold(cells(b1=same).iloc[:0]).empty


def test_tables_of_regression_have_no_classes() -> None:
    tables = with_thresholds(sweep(2, 1, metric={"name": "pearson"}), policies=("patience", "oracle"), classes=1)
    assert tables.overthinking.empty
    assert tables.calibration.empty
    points = tables.operating_points
    assert leaves_early(points["policy"]).any()
    curves = policy_curves(points[points["trial"] == "c000-i0-o0"], "speed_up", minimize=False)
    assert curves["score_mean"].between(-1, 1).all()
