"""What is computed from `SweepTables`: incumbent, expected best, configurations, savings, operating points."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_settings import changed_spec
from made_sweeps import score_of, sweep
from scipy import stats
from told import tells

from greenexp.analysis.comparing.lead_of_sweep import lead_over
from greenexp.analysis.curves.best_so_far import best_so_far_over
from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.fronts.operating_points import cheapest_within, exit_summary, operating_front
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.savings import rung_table, savings
from greenexp.records.axes import AXES
from greenexp.records.selection import SeedOutcome, chosen_configuration
from greenexp.records.tables import SCHEMA, typed_frame

STOPPED = {"c000": ("stopped", 1), "c003": ("stopped", 3)}


def mean_score(c, epoch=9):
    return np.mean([score_of(c, s, epoch) for s in (0, 1)])


# --- incumbent


@pytest.mark.parametrize("axis", ["trials", "epochs", "wall_s", "train_flops"])
def test_best_so_far_ends_at_what_the_ledger_says_was_used(axis):
    tables = sweep(ends=STOPPED, scheduler="asha")
    curve = best_so_far_over(tables, axis)
    used = tables.ledger.set_index("axis").loc[axis, "used"]
    if axis == "wall_s":  # the ledger has the elapsed time, the curve what workers were held for
        used = tables.trials["wall_s"].sum()
    assert curve["cost"].iloc[-1] == pytest.approx(used)
    assert curve["score"].iloc[-1] == tables.trials["score"].max()


@settings(max_examples=25)
@given(st.permutations(range(8)))
def test_best_so_far_is_the_running_best_in_the_order_of_time(order):
    tables = sweep()
    times = np.array(order)[tables.epochs["trial"].astype("category").cat.codes] * 100 + tables.epochs["epoch"]
    shuffled = dataclasses.replace(tables, epochs=tables.epochs.assign(time_s=times.astype(float)))
    curve = best_so_far_over(shuffled, "epochs")
    running = shuffled.epochs.sort_values("time_s")["score"].cummax().to_numpy()
    np.testing.assert_array_equal(curve["score"], running[curve["cost"].astype(int) - 1])
    improvements = curve[curve["improved"]]
    assert improvements["score"].is_monotonic_increasing
    assert len(improvements) == len(np.unique(running))


def test_best_so_far_of_a_smaller_is_better_metric_falls():
    tables = sweep(metric={"name": "error", "mode": "min"})
    better = best_so_far_over(tables, "wall_s").query("improved")["score"]
    assert better.is_monotonic_decreasing
    assert (better.iloc[0], better.iloc[-1]) == (tables.epochs["score"].iloc[0], tables.epochs["score"].min())
    assert better.iloc[0] > better.iloc[-1]


def test_a_failed_trial_costs_but_gives_no_score():
    alone = best_so_far_over(sweep(1, 2), "epochs")
    both = best_so_far_over(sweep(1, 2, ends={"c000-i1-o0": ("failed", 9)}), "epochs")
    assert both["cost"].iloc[-1] == alone["cost"].iloc[-1] == 18
    assert set(both["trial"]) == {"c000-i0-o0"}


def test_a_report_that_was_replaced_costs_but_gives_no_other_score():
    tables = sweep(1, 1, epochs=3)
    first = tables.epochs.iloc[[1]].assign(repeated=True, score=0.99, time_s=0.5)
    again = first.assign(score=tables.epochs["score"].iloc[1])
    for extra, best, count in ((first, tables.epochs["score"].max(), 3), (again, tables.epochs["score"].max(), 2)):
        epochs = pd.concat([extra, tables.epochs.assign(attempt=2)], ignore_index=True)
        curve = best_so_far_over(dataclasses.replace(tables, epochs=epochs), "epochs")
        assert curve["cost"].iloc[-1] == 4
        assert curve["score"].max() == best
        assert curve["improved"].sum() == count


def test_best_so_far_needs_a_complete_measurement():
    with pytest.raises(ValueError, match=r"energy_j.*not measured: no energy counter"):
        best_so_far_over(sweep(), "energy_j")
    with pytest.raises(ValueError, match="'epochs'"):
        best_so_far_over(sweep(), "epoch")
    assert best_so_far_over(sweep(energy_j=2.0), "energy_j")["cost"].iloc[-1] == 144


def test_nothing_reported_is_an_empty_best_so_far():
    tables = sweep(ends={f"c00{c}": ("planned", 0) for c in range(4)})
    assert all(best_so_far_over(tables, axis).empty for axis in AXES)


# --- expected best


def test_expected_best_of_a_full_random_search_is_an_estimate_over_configurations():
    curve = expected_best(sweep())
    means = [mean_score(c) for c in range(4)]
    assert curve.bound == curve.refusal == ""
    np.testing.assert_allclose(curve.curve["expected_best"], tuning_curve(means, [1, 2, 3, 4]))
    assert curve.curve["expected_best"].iloc[-1] == max(means)


def test_stopped_trials_make_a_labelled_bound_below_the_full_curve():
    full = expected_best(sweep()).curve["expected_best"]
    cut = expected_best(sweep(ends=STOPPED, scheduler="asha"))
    assert cut.bound == "lower bound"
    assert any("4 of 8 trials" in note for note in cut.notes)
    assert (cut.curve["expected_best"] <= full + 1e-12).all()
    assert cut.curve["expected_best"].iloc[0] < full.iloc[0]


def test_bound_of_a_smaller_is_better_metric_is_an_upper_one():
    metric = {"name": "error", "mode": "min"}
    full = expected_best(sweep(metric=metric)).curve["expected_best"]
    cut = expected_best(sweep(metric=metric, ends=STOPPED, scheduler="asha"))
    assert cut.bound == "upper bound"
    assert (cut.curve["expected_best"] >= full - 1e-12).all()


@pytest.mark.parametrize("search", ["grid", "points"])
def test_searches_that_are_no_independent_draws_are_refused(search):
    curve = expected_best(sweep(search=search))
    assert curve.curve.empty
    assert f"'{search}'" in curve.refusal


def test_seeds_stopped_apart_are_refused_by_name():
    curve = expected_best(sweep(ends={"c001-i0-o0": ("stopped", 3)}, scheduler="asha"))
    assert curve.curve.empty
    assert tells(curve.refusal, "1 of 4 configurations … c001")


def test_a_failed_seed_takes_its_configuration_out_and_is_said():
    curve = expected_best(sweep(ends={"c002-i1-o0": ("failed", 5)}))
    assert list(curve.values) == ["c000", "c001", "c003"]
    assert curve.failed == 1
    assert any("1 configuration" in note for note in curve.notes)
    assert curve.bound == ""


def test_an_interrupted_sweep_gives_a_bound_of_what_has_reported():
    ends = {"c002-i0-o0": ("interrupted", 4), "c003": ("planned", 0)}
    curve = expected_best(sweep(ends=ends))
    assert curve.bound == "lower bound"
    assert list(curve.values) == ["c000", "c001", "c002"]
    assert any("1 of 6" in note for note in curve.notes)


def test_no_score_at_all_is_refused():
    curve = expected_best(sweep(1, 1, ends={"c000": ("failed", 0)}))
    assert curve.refusal == "no configuration has a score from all its seeds"


def test_many_configurations_make_a_curve_of_bounded_length():
    curve = expected_best(sweep(300, 1, epochs=1)).curve
    assert 100 < len(curve) <= 200
    assert curve["configurations"].iloc[[0, -1]].tolist() == [1, 300]


# --- configurations


def test_configurations_have_mean_and_spread_over_seeds_best_first():
    frame = configuration_table(sweep())
    assert frame["configuration"].tolist()[0] == "c002"
    assert frame["score_mean"].is_monotonic_decreasing
    first = frame.iloc[0]
    scores = [score_of(2, s, 9) for s in (0, 1)]
    assert (first["score_mean"], first["score_std"]) == pytest.approx((np.mean(scores), np.std(scores, ddof=1)))
    assert (first["state"], first["epochs"], first["train_flops"]) == ("complete", 18, 36e9)


@pytest.mark.parametrize(
    ("ends", "state", "reason"),
    [
        ({"c001-i0-o0": ("stopped", 3)}, "stopped apart", "c001-i0-o0 … 3 … c001-i1-o0 … 9"),
        ({"c001-i0-o0": ("failed", 3)}, "failed", "1 of 2 seeds … c001-i0-o0 … exploded"),
        ({"c001-i0-o0": ("running", 3)}, "unfinished", "1 running"),
    ],
)
def test_no_mean_where_seeds_are_not_alike(ends, state, reason):
    frame = configuration_table(sweep(ends=ends, reasons={"c001-i0-o0": "exploded"}))
    row = frame.iloc[-1]
    assert (row["configuration"], row["state"]) == ("c001", state)
    assert np.isnan(row["score_mean"])
    assert np.isnan(row["score_std"])
    assert tells(row["reason"], reason)


def test_seeds_stopped_together_have_a_mean():
    frame = configuration_table(sweep(ends=STOPPED)).set_index("configuration")
    assert frame.loc["c003", "state"] == "stopped"
    assert frame.loc["c003", "score_mean"] == pytest.approx(mean_score(3, 3))


def test_a_cost_that_one_seed_lacks_has_no_total():
    tables = sweep(energy_j=2.0)
    trials = tables.trials.copy()
    trials.loc[trials["trial"] == "c000-i1-o0", "energy_j"] = np.nan
    frame = configuration_table(dataclasses.replace(tables, trials=trials)).set_index("configuration")
    assert np.isnan(frame.loc["c000", "energy_j"])
    assert frame.loc["c001", "energy_j"] == 36


def test_one_seed_has_no_spread():
    assert configuration_table(sweep(seeds=1))["score_std"].isna().all()


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(["max", "min"]))
def test_the_first_configuration_is_the_one_that_is_chosen(data, mode):
    """Few distinct scores in many orders: ties that a sum in another order would break."""
    tables = sweep(4, 3, epochs=2, metric={"name": "accuracy", "mode": mode})
    size = len(tables.trials)
    drawn = {
        "score": data.draw(st.lists(st.sampled_from([0.7, 0.8, 0.9, np.nan]), min_size=size, max_size=size)),
        "status": data.draw(st.lists(st.sampled_from(["finished"] * 9 + ["stopped"]), min_size=size, max_size=size)),
    }
    changed = dataclasses.replace(tables, trials=tables.trials.assign(**drawn))
    frame = configuration_table(changed)
    columns = (changed.trials[name] for name in ("configuration", "status", "epochs", "score"))
    outcomes = [SeedOutcome(c, s, e, None if np.isnan(v) else v) for c, s, e, v in zip(*columns, strict=True)]
    first = frame["configuration"].iloc[0] if frame["score_mean"].notna().any() else None
    assert first == chosen_configuration(outcomes, mode)


def test_a_tie_goes_to_the_last_in_the_plan():
    scores = [0.9, 0.8, 0.7, 0.8, 0.7, 0.9, 0.7, 0.8, 0.9]  # sums that differ in the last bit
    tables = sweep(3, 3)
    frame = configuration_table(dataclasses.replace(tables, trials=tables.trials.assign(score=scores)))
    assert frame["configuration"].tolist() == ["c002", "c001", "c000"]
    assert frame["score_mean"].tolist() == [frame["score_mean"].iloc[0]] * 3


# --- paired differences


def test_paired_differences_leave_out_what_a_seed_does_to_both():
    tables = sweep(2, 4)
    noise = np.array([0.1, -0.2, 0.3, 0.0])
    trials = tables.trials.assign(score=np.concatenate([0.8 + noise, 0.79 + noise + [0.0, 0.001, -0.001, 0.002]]))
    shuffled = dataclasses.replace(tables, trials=trials.sample(frac=1, random_state=0))
    found = lead_over(shuffled, "c000", "c001").interval
    differences = 0.01 - np.array([0.0, 0.001, -0.001, 0.002])
    assert found.lead == pytest.approx(differences.mean())
    assert found.error_of_seeds == pytest.approx(stats.sem(differences))
    assert found.seeds == 4


def test_a_paired_difference_needs_two_pairs_for_an_error():
    found = lead_over(sweep(2, 1), "c000", "c001").interval
    assert (found.seeds, np.isnan(found.error), np.isnan(found.lead)) == (1, True, False)
    assert np.isnan(lead_over(sweep(2, 1), "c000", "none").interval.lead)


# --- savings


def test_seeds_ended_by_a_failure_are_not_early_stopping():
    ends = {**STOPPED, "c001-i0-o0": ("failed", 2), "c001-i1-o0": ("stopped", 3)}
    tables = sweep(ends=ends, scheduler="asha")
    numbers = savings(tables)
    assert (numbers.stopped, numbers.abandoned, numbers.saved_epochs, numbers.open_epochs) == (4, 1, 28, 7 + 6)
    assert numbers.run_epochs + numbers.saved_epochs + numbers.open_epochs == numbers.planned_epochs
    assert rung_table(tables)["stopped"].tolist() == [2, 2]
    alone = dataclasses.replace(tables, spec=changed_spec(tables.spec, scheduler={"name": "asha", "per_trial": True}))
    assert (savings(alone).stopped, savings(alone).abandoned) == (5, 0)
    assert rung_table(alone)["stopped"].tolist() == [2, 3]


def test_epochs_planned_are_run_saved_or_open():
    numbers = savings(sweep(ends={**STOPPED, "c001-i0-o0": ("failed", 2)}, scheduler="asha"))
    assert (numbers.planned_epochs, numbers.saved_epochs, numbers.open_epochs) == (72, 2 * 8 + 2 * 6, 7)
    assert numbers.run_epochs + numbers.saved_epochs + numbers.open_epochs == numbers.planned_epochs
    assert (numbers.trials, numbers.stopped, numbers.finished) == (8, 4, 3)


def test_rungs_count_every_trial_once():
    table = rung_table(sweep(ends=STOPPED, scheduler="asha"))
    assert table[["rung", "trials", "went_on", "stopped", "waiting"]].to_numpy().tolist() == [
        [1, 8, 6, 2, 0],
        [3, 6, 4, 2, 0],
    ]
    assert table["configurations"].tolist() == [4, 3]


def test_a_paused_trial_counts_by_its_last_verdict():
    tables = sweep(1, 2)
    row = {"configuration": "c000", "rung": 3, "bracket": 0, "value": 0.4, "cutoff": None, "reason": ""}
    rows = [
        {**row, "trial": "c000-i0-o0", "action": "pause", "time_s": 1.0},
        {**row, "trial": "c000-i1-o0", "action": "pause", "time_s": 2.0},
        {**row, "trial": "c000-i0-o0", "action": "stop", "cutoff": 0.5, "time_s": 3.0},
        {**row, "trial": "c000-i0-o0", "rung": 9, "action": "stop", "time_s": 4.0},
    ]
    table = rung_table(dataclasses.replace(tables, decisions=typed_frame("decisions", rows)))
    assert len(table) == 1
    first = table.iloc[0]
    assert (first["trials"], first["stopped"], first["waiting"], first["last_cutoff"]) == (2, 1, 1, 0.5)


# --- operating points


def test_front_leaves_failed_trials_out_and_keeps_points_without_a_score():
    tables = sweep(ends={"c002-i1-o0": ("failed", 9)})
    points = tables.operating_points.copy()
    points.loc[0, "score"] = np.nan
    front = operating_front(dataclasses.replace(tables, operating_points=points))
    assert "c002-i1-o0" not in set(front["trial"])
    assert len(front) == 21
    assert not front.loc[front["score"].isna(), "on_front"].any()
    assert front.loc[front["on_front"], "score"].is_monotonic_increasing


def test_cheapest_within_a_tolerance():
    points = pd.DataFrame(
        {"score": [0.89, 0.90, 0.88, np.nan, 0.89], "inference_flops": [2.0, 4.0, 1.0, 0.1, 2.0], "id": list("abcde")}
    )
    assert cheapest_within(points, 0.01, minimize=False)["id"] == "a"
    assert cheapest_within(points, 0.0, minimize=False)["id"] == "b"
    assert cheapest_within(points, 0.02, minimize=True)["id"] == "c"
    assert cheapest_within(points.iloc[3:4], 1, minimize=False) is None


def test_exit_summary_is_over_finished_trials():
    summary = exit_summary(sweep(ends=STOPPED, scheduler="asha"))
    assert summary["trials"].tolist() == [4, 4, 4]
    assert summary["layer"].tolist() == [2, 4, 6]
    assert summary["score_mean"].iloc[-1] == pytest.approx(np.mean([mean_score(1), mean_score(2)]))


def test_empty_tables_give_empty_results():
    frames = {name: typed_frame(name, []) for name in SCHEMA}
    tables = dataclasses.replace(sweep(1, 1), **frames)
    assert configuration_table(tables).empty
    assert operating_front(tables).empty
    assert exit_summary(tables).empty
    assert rung_table(tables).empty
    assert savings(tables).planned_epochs == 0
    assert expected_best(tables).refusal
