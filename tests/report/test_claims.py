"""What the report says about the best, the seeds, the test set and the costs is no more than the data hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_settings import changed_spec
from made_sweeps import sweep
from told import tells

from greenexp.analysis.comparing.lead_of_sweep import lead_of_best
from greenexp.analysis.sweeps.overview import overview
from greenexp.records.tables import typed_frame
from greenexp.report import report_sections


def text(tables, name):
    (section,) = report_sections(tables, [name])
    return " ".join([*section.headline, *section.paragraphs, *section.assumptions])


def scored(scores, configurations=2, seeds=2, **made):
    tables = sweep(configurations, seeds, **made)
    return dataclasses.replace(tables, trials=tables.trials.assign(score=scores))


# --- the best and the next


def verdict(tables):
    """The verdict on the lead, which stands in the headline as it is."""
    lead = lead_of_best(tables)
    assert lead.sentence in text(tables, "headline")
    return str(lead.verdict), lead


def test_many_seeds_tell_apart_what_is_less_than_their_spread():
    """With an `f1`, of which nothing is known about examples."""
    noise = np.random.default_rng(0).normal(size=(2, 40)) * 0.02
    noise -= noise.mean(axis=1, keepdims=True)
    scores = np.concatenate([0.80 + noise[0], 0.818 + noise[1]])
    found, lead = verdict(scored(scores, seeds=40, metric={"name": "f1"}))
    assert found == "told apart"
    assert lead.interval.lead == pytest.approx(0.018)


def test_an_accuracy_on_few_examples_is_not_told_apart_by_seeds_alone():
    noise = np.random.default_rng(0).normal(size=(2, 40)) * 0.02
    noise -= noise.mean(axis=1, keepdims=True)
    scores = np.concatenate([0.80 + noise[0], 0.818 + noise[1]])
    assert verdict(scored(scores, seeds=40))[0] == "cannot be told"
    assert verdict(scored(scores, seeds=40, task={"name": "clauses", "dev": 50_000}))[0] == "told apart"


def test_seeds_that_move_both_alike_tell_them_apart():
    found, lead = verdict(scored([0.9, 0.5, 0.7, 0.89, 0.491, 0.689], seeds=3, metric={"name": "f1"}))
    assert found == "told apart"
    assert lead.interval.error == pytest.approx(np.std([0.01, 0.009, 0.011], ddof=1) / np.sqrt(3))


def test_the_same_difference_with_every_seed_is_no_noise_of_0():
    found, lead = verdict(scored([0.9, 0.5, 0.7, 0.89, 0.49, 0.69], seeds=3, metric={"name": "f1"}))
    assert found == "cannot be told"
    assert np.isnan(lead.interval.error)


def test_a_gap_within_the_noise_of_the_seeds_is_not_told_apart():
    assert verdict(scored([0.80, 0.82, 0.80, 0.815]))[0] == "not told apart"


def test_one_seed_tells_nothing_and_equal_scores_are_a_tie():
    assert verdict(scored([0.8, 0.7], seeds=1))[0] == "cannot be told"
    assert verdict(scored([0.9, 0.8, 0.8, 0.9]))[0] == "not told apart"
    assert "have the same score" in text(scored([0.9, 0.8, 0.8, 0.9]), "headline")


@pytest.mark.parametrize(
    ("ends", "bound"),
    [
        ({}, ""),
        ({"c001": ("stopped", 3)}, "at most"),
        ({"c000": ("stopped", 3)}, "at least"),
        ({"c000": ("stopped", 3), "c001": ("stopped", 3)}, "by these bounds"),
    ],
)
def test_the_gap_is_a_bound_where_scores_are(ends, bound):
    _, lead = verdict(scored([0.9, 0.8, 0.8, 0.7], ends=ends, scheduler="asha"))
    assert lead.bound == bound
    assert f"{f'{bound} ' if bound else ''}0.1000 better" in text(
        scored([0.9, 0.8, 0.8, 0.7], ends=ends, scheduler="asha"), "headline"
    )


def test_only_configurations_with_a_score_are_counted():
    said = text(sweep(ends={"c001-i0-o0": ("failed", 3)}), "headline")
    assert tells(said, "Best of the 3 configurations … with a score from all seeds (4 planned): c002")
    alone = text(sweep(2, 2, ends={"c001-i0-o0": ("failed", 3)}), "headline")
    assert tells(alone, "The only configuration … with a score from all seeds (2 planned): c000")


def test_a_leader_that_still_trains_is_named_beside_the_best_of_those_that_have_ended():
    tables = sweep(3, 2)
    trials = tables.trials.copy()
    first = trials["configuration"] == trials.loc[trials["score"].idxmax(), "configuration"]
    trials.loc[first, "status"] = "running"
    going_on = dataclasses.replace(tables, trials=trials, history=dataclasses.replace(tables.history, complete=False))
    leader, score = trials.loc[trials["score"].idxmax(), ["trial", "score"]]
    for said in (text(going_on, "headline"), " ".join(overview(going_on).verdict)):
        assert tells(
            said, f"configurations whose seeds have ended … {leader}, which has not ended, has reached {score:.4f}"
        )
    assert "has not ended" not in " ".join(overview(tables).verdict)


# --- seeds


@pytest.mark.parametrize(
    ("seeds", "said", "assumed"),
    [
        ({"initialisation": 4, "order": 1}, "4 seeds)", "data order and dropout were not, so no spread"),
        ({"initialisation": 1, "order": 4}, "4 seeds)", "the initialisation was not, so no spread"),
        ({"initialisation": 2, "order": 2}, "4 trials (2 x 2 crossed seeds))", "understates the spread of the mean"),
        ({"initialisation": 4, "order": 4, "design": "paired"}, "4 trials (4 paired seeds))", "dropout were varied."),
    ],
)  # fmt: skip
def test_what_was_varied_is_said(seeds, said, assumed):
    tables = sweep(2, 4)
    tables = dataclasses.replace(tables, spec=changed_spec(tables.spec, seeds=seeds))
    assert f"over {said}" in text(tables, "headline")
    assert assumed in text(tables, "assumptions")
    assert "noise of training" not in text(tables, "assumptions")
    crossed = seeds.get("design") is None and seeds["order"] == 2
    assert ("understates" in text(tables, "headline")) == crossed


def test_one_seed_is_no_repetition():
    assert "nothing was repeated" in text(sweep(seeds=1), "assumptions")


# --- test set


def with_test(tables, configurations, evaluations=1):
    rows = [
        {"trial": trial.trial, "configuration": trial.configuration, "evaluation": number, "time_s": 200.0 + number,
         "epoch": trial.best_epoch, "examples": 400, "score": trial.score - 0.02, "exit": e, "layer": 2 * e,
         "inference_flops": 1e6 * e, "test_accuracy": trial.score - 0.03 + 0.01 * e}
        for trial in tables.trials.itertuples() if trial.configuration in configurations
        for number in range(1, evaluations + 1) for e in (1, 2, 3)
    ]  # fmt: skip
    return dataclasses.replace(tables, held_out=typed_frame("held_out", rows, {"test_accuracy": "float64"}))


def test_no_test_set_is_said_as_such():
    assert "The test set was not evaluated" in text(sweep(), "held-out")
    assert "No test set was evaluated in this report." in text(sweep(), "assumptions")


def test_test_scores_of_the_chosen_configuration_stand_beside_dev():
    tables = with_test(sweep(), ["c002"])
    scores = tables.trials.loc[tables.trials["configuration"] == "c002", "score"]
    sentence = (
        f"On test, evaluated once: c002, accuracy (mean over exits) {scores.mean() - 0.02:.4f} ± {scores.std():.4f} "
        f"(mean ± standard deviation over 2 seeds); on dev, at the same epochs, {scores.mean():.4f}."
    )
    assert sentence in text(tables, "held-out")
    assert sentence in text(tables, "headline")
    assert "Warning" not in text(tables, "held-out")
    assert "No test set" not in text(tables, "assumptions")
    (section,) = report_sections(tables, ["held-out"])
    trials, exits = (table.frame for table in section.tables)
    assert trials["dev_score"].tolist() == scores.tolist()
    assert exits["exit"].tolist() == [1, 2, 3]
    assert exits["test_mean"].tolist() == pytest.approx([scores.mean() - 0.03 + 0.01 * e for e in (1, 2, 3)])
    points = tables.operating_points
    dev = points[points["configuration"] == "c002"].groupby("threshold")["score"].mean()
    assert exits["dev_mean"].tolist() == pytest.approx(dev.tolist())


@pytest.mark.parametrize(
    ("configurations", "evaluations", "uses"), [(["c002"], 2, 2), (["c001", "c002"], 1, 2), (["c001", "c002"], 3, 6)]
)
def test_a_test_set_that_was_used_again_is_warned_of(configurations, evaluations, uses):
    tables = with_test(sweep(), configurations, evaluations)
    for name in ("held-out", "headline"):
        said = text(tables, name)
        assert f"On test, evaluated {uses} times: c002" in said
        assert f"Warning: the test set was used {uses} times" in said


def test_a_configuration_that_is_no_longer_the_best_is_warned_of():
    tables = with_test(sweep(), ["c001"])
    assert "the configuration on test, c001, is not the chosen one: the best on dev is now c002" in text(
        tables, "held-out"
    )


# --- costs, exits, early stopping, search


def test_evaluation_on_dev_is_counted_beside_training():
    assert "Evaluating on dev took a further 7.2 GFLOP, not on this axis." in text(sweep(), "costs")


def test_before_any_report_nothing_is_called_not_measured():
    tables = sweep(ends={f"c00{c}": ("planned", 0) for c in range(4)})
    assert "Nothing was reported yet." in text(tables, "costs")
    assert "was not measured" not in text(tables, "costs")
    assert "Not measured" not in text(tables, "headline")


def test_a_cost_that_was_measured_in_part_is_no_whole_measurement():
    tables = sweep(energy_j=2.0)
    ledger = tables.ledger.assign(reason=np.where(tables.ledger["axis"] == "energy_j", "without cpu_package: x", ""))
    said = text(dataclasses.replace(tables, ledger=ledger), "costs")
    assert "Energy was measured in part: without cpu_package: x." in said
    assert "Every axis was measured" not in said


def test_stopped_trials_pull_means_where_bad_scores_are():
    assert "would pull the means down" in text(sweep(), "exits")
    assert "would pull the means up" in text(sweep(metric={"name": "loss", "mode": "min"}), "exits")


def test_seeds_ended_by_a_failure_are_not_called_stopped():
    ends = {"c001-i0-o0": ("failed", 2), "c001-i1-o0": ("stopped", 3)}
    tables = sweep(ends=ends, scheduler="asha")
    assert "no epoch was saved by early stopping" in text(tables, "early-stopping")
    assert "1 trial ended because another seed" not in text(sweep(scheduler="asha"), "early-stopping")
    assert "1 trial ended because another seed" in text(tables, "early-stopping")
    assert "6 finished, 1 failed, 1 ended with a failed seed." in text(tables, "headline")


def search_tables(tables):
    (section,) = report_sections(tables, ["search"])
    return {plate.table.name: plate.table for plate in section.plates}


def test_the_spread_of_bounds_is_not_shown():
    full = search_tables(sweep())["expected-best"]
    bound = search_tables(sweep(ends={"c000": ("stopped", 1)}, scheduler="asha"))["expected-best"]
    assert "standard_deviation" in full.frame
    assert "standard_deviation" not in bound.frame
    assert "standard_deviation" not in {column.name for column in bound.columns}


def test_expected_best_over_cost_is_drawn_only_where_all_ran_to_the_end():
    drawn = search_tables(sweep())
    assert {"expected-best-train-flops", "expected-best-wall-s"} <= set(drawn)
    pd.testing.assert_index_equal(
        drawn["expected-best-wall-s"].frame.columns,
        pd.Index(["cost", "expected_best", "nothing_finished", "nothing"]),
    )
    assert "Not drawn over cost" not in text(sweep(), "search")
    stopped = sweep(ends={"c000": ("stopped", 1)}, scheduler="asha")
    assert set(search_tables(stopped)) & {"expected-best-train-flops", "expected-best-wall-s"} == set()
    assert "Not drawn over cost: 2 of 8 trials were stopped early" in text(stopped, "search")
    grid = text(sweep(search="grid"), "search")
    assert "Not drawn over cost" not in grid
