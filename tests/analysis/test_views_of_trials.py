"""Learning curves, configurations over seeds, decisions and reasons, one trial: facts of made-up sweeps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_sweeps import score_of, sweep, with_thresholds
from told import tells

from greenexp.analysis.views.decisions import scheduler_decisions
from greenexp.analysis.views.learning_curves import ALL_OF_DEV, CHOSEN, NOT_ENDED, PART_OF_DEV, learning_curves
from greenexp.analysis.views.one_trial import trial_view
from greenexp.analysis.views.operating_points import operating_point_table
from greenexp.analysis.views.over_seeds import configurations_over_seeds
from greenexp.analysis.views.why import why
from greenexp.analysis.views.wording import ordinal, told_apart
from greenexp.errors import InputError
from greenexp.records.history import LimitReached
from greenexp.records.tables import SweepTables, typed_frame

ENDS = {"c000": ("stopped", 1), "c003-i0-o0": ("failed", 2), "c003-i1-o0": ("finished", 9)}


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    return sweep(ends=ENDS, reasons={"c003-i0-o0": "loss is NaN"}, scheduler="asha")


def with_repeated_report(tables: SweepTables) -> SweepTables:
    """Epoch 2 of the first trial of c001 was reported by an earlier attempt too, with another score."""
    epochs = tables.epochs
    again = epochs[(epochs["trial"] == "c001-i0-o0") & (epochs["epoch"] == 2)].assign(
        repeated=True, score=0.1, attempt=0
    )
    return dataclasses.replace(tables, epochs=pd.concat([again, epochs], ignore_index=True))


def test_curves_are_the_reports_and_end_where_trials_ended(tables: SweepTables) -> None:
    found = learning_curves(tables)
    curves, ends = found["curves"], found["ends"].set_index("trial")
    own = curves[curves["trial"] == "c002-i1-o0"]
    assert own["value"].tolist() == [score_of(2, 1, epoch) for epoch in range(1, 10)]
    assert own["position"].tolist() == list(range(1, 10))
    assert ends.loc["c000-i0-o0", ["end", "epoch"]].tolist() == ["stopped", 1]
    assert ends.loc["c003-i0-o0", ["end", "epoch"]].tolist() == ["failed", 2]
    assert set(own["group"]) == {CHOSEN}
    assert found["rungs"]["position"].tolist() == [1.0, 3.0]


def test_work_that_was_done_again_is_drawn_once_and_said(tables: SweepTables) -> None:
    found = learning_curves(with_repeated_report(tables), trials=["c001-i0-o0"])
    assert found["curves"]["epoch"].tolist() == list(range(1, 10))
    assert 0.1 not in found["curves"]["value"].tolist()
    assert any(tells(note, "1 report … again") for note in found.notes)


def test_a_cost_axis_is_cumulative_and_leaves_out_what_was_not_measured(tables: SweepTables) -> None:
    found = learning_curves(tables, axis="wall_s", trials=["c001-i0-o0"])
    assert found["curves"]["position"].tolist() == pytest.approx([3.1 * epoch for epoch in range(1, 10)])
    assert found["rungs"].empty
    assert tells(learning_curves(tables, axis="energy_j").refusal, "energy_j … not measured")
    one = tables.epochs["trial"] == "c001-i0-o0"
    part = dataclasses.replace(tables, epochs=tables.epochs.assign(energy_j=np.where(one, 2.0, np.nan)))
    measured = learning_curves(part, axis="energy_j")
    assert set(measured["curves"]["trial"]) == {"c001-i0-o0"}
    assert any(tells(note, "7 of 8 trials … energy_j") for note in measured.notes)


def test_scores_on_a_part_of_dev_have_lines_of_their_own(tables: SweepTables) -> None:
    part = tables.epochs["dev_examples"].where(tables.epochs["epoch"] != 1, 50)
    found = learning_curves(dataclasses.replace(tables, epochs=tables.epochs.assign(dev_examples=part)))
    curves = found["curves"]
    assert set(curves.loc[curves["epoch"] == 1, "scored_on"]) == {PART_OF_DEV}
    assert set(curves.loc[curves["epoch"] > 1, "scored_on"]) == {ALL_OF_DEV}
    assert any(tells(note, "8 scores … part of dev (50 examples)") for note in found.notes)
    assert set(learning_curves(tables, value="train_loss")["curves"]["scored_on"]) == {""}


def test_groups_of_a_searched_field_have_its_number(tables: SweepTables) -> None:
    curves = learning_curves(tables, by="training.learning_rate")["curves"]
    rates = curves.drop_duplicates("configuration")["group_value"].tolist()
    assert rates == pytest.approx([1e-3 * (c + 1) / 3 for c in range(4)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"axis": "wall"}, "axis … 'wall' … wall_s"),
        ({"value": "loss"}, "value … 'loss' … train_loss"),
        ({"by": "training.rate"}, "'training.rate' … learning_rate"),
        ({"trials": ["c009"]}, "c009"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(tables: SweepTables, options, words: str) -> None:
    with pytest.raises(InputError) as error:
        learning_curves(tables, **options)
    assert tells(str(error.value), words)


def test_without_a_report_there_is_no_curve() -> None:
    assert learning_curves(sweep(1, 1, ends={"c000": ("planned", 0)})).refusal


def test_every_seed_stands_beside_the_mean_of_its_configuration(tables: SweepTables) -> None:
    found = configurations_over_seeds(tables)
    rows, seeds = found["configurations"].set_index("configuration"), found["seeds"]
    assert list(rows.index) == ["c002", "c001", "c000", "c003"]
    assert rows.loc["c002", "score_mean"] == pytest.approx((score_of(2, 0, 9) + score_of(2, 1, 9)) / 2)
    assert np.isnan(rows.loc["c003", "score_mean"])
    assert tells(rows.loc["c003", "reason"], "c003-i0-o0 … loss is NaN")
    kinds = seeds.set_index("trial")["kind"]
    assert kinds[["c000-i0-o0", "c003-i0-o0", "c002-i0-o0"]].tolist() == ["stopped early", "failed", "finished"]
    assert not seeds.loc[seeds["configuration"] == "c003", "counts"].any()
    assert seeds["place"].is_monotonic_increasing


def test_seeds_stopped_at_different_epochs_have_no_mean_and_it_says_where() -> None:
    apart = sweep(2, 2, ends={"c001-i0-o0": ("stopped", 1), "c001-i1-o0": ("stopped", 3)})
    row = configurations_over_seeds(apart)["configurations"].set_index("configuration").loc["c001"]
    assert np.isnan(row["score_mean"])
    assert tells(row["reason"], "c001-i0-o0 after epoch 1 … c001-i1-o0 after epoch 3")


def made_decisions(tables: SweepTables) -> SweepTables:
    """Three configurations at rung 1 of one bracket, and a fourth in another; the third is stopped."""
    rows = [
        ("c000-i0-o0", "c000", 0, "go_on", 0.5, np.nan, "first at this rung", 2),
        ("c001-i0-o0", "c001", 0, "go_on", 0.7, 0.5, "within", 2),
        ("c002-i0-o0", "c002", 0, "stop", 0.6, 0.65, "not within", 2),
        ("c002-i1-o0", "c002", 0, "stop", 0.6, 0.65, "not within", 2),
        ("c003-i0-o0", "c003", 1, "pause", np.nan, np.nan, "waits for others", None),
    ]
    names = ("trial", "configuration", "bracket", "action", "value", "cutoff", "reason", "seeds")
    filled = [{**dict(zip(names, row, strict=True)), "rung": 1, "time_s": 13.0 + 3 * k} for k, row in enumerate(rows)]
    return dataclasses.replace(tables, decisions=typed_frame("decisions", filled))


def test_a_decision_says_value_cutoff_place_rung_and_bracket(tables: SweepTables) -> None:
    found = scheduler_decisions(made_decisions(tables))["decisions"]
    assert found["place"].tolist()[:4] == [1, 1, 2, 2]
    assert found["compared"].tolist()[:4] == [1, 2, 3, 3]
    assert found["place"].isna().tolist() == [False] * 4 + [True]
    stop = found["sentence"].iloc[2]
    assert tells(stop, "c002-i0-o0 … stopped … epoch 1 of bracket 0 … 0.6 … 2 seeds … below … 0.65 … 2nd best of the 3")
    only = scheduler_decisions(made_decisions(tables), action="stop", trial="c002-i1-o0")["decisions"]
    assert only["number"].tolist() == [4]


def test_decisions_of_a_metric_that_is_minimised_rank_the_least_first() -> None:
    less = sweep(metric={"name": "loss", "mode": "min"}, ends=ENDS, scheduler="asha")
    assert scheduler_decisions(made_decisions(less))["decisions"]["place"].tolist()[:3] == [1, 2, 2]


def test_without_decisions_it_says_so(tables: SweepTables) -> None:
    assert tells(scheduler_decisions(sweep()).refusal, "fifo … never stops")
    with pytest.raises(InputError):
        scheduler_decisions(tables, action="stopped")


@pytest.mark.parametrize(("number", "words"), [(1, "best"), (2, "2nd best"), (11, "11th best"), (23, "23rd best")])
def test_ordinals(number: int, words: str) -> None:
    assert ordinal(number) == words


def test_decisions_that_follow_one_report_are_judged_together(tables: SweepTables) -> None:
    apart = made_decisions(tables)
    together = dataclasses.replace(apart, decisions=apart.decisions.assign(time_s=4.0))
    found = scheduler_decisions(together)["decisions"]
    assert found["place"].tolist()[:4] == [3, 1, 2, 2]
    assert found["compared"].tolist()[:4] == [3, 3, 3, 3]


def test_numbers_are_told_apart() -> None:
    assert told_apart(0.712341, 0.712343) == ("0.712341", "0.712343")
    assert told_apart(0.5, 0.5) == ("0.5", "0.5")


def test_why_tells_stopped_failed_finished_and_not_begun(tables: SweepTables) -> None:
    assert tells(why(tables, "c000-i0-o0"), "stopped after epoch 1 … 0.5216")
    assert tells(why(tables, "c003-i0-o0"), "failed after epoch 2 of 9 … loss is NaN")
    assert tells(why(tables, "c002-i0-o0"), "finished after epoch 9 of 9 … at epoch 9")
    with pytest.raises(InputError) as error:
        why(tables, "c002-i0-o1")
    assert tells(str(error.value), "c002-i0-o1 … c002-i")


def test_why_names_the_failed_seed_that_ended_another() -> None:
    ends = {"c000-i0-o0": ("failed", 1), "c000-i1-o0": ("stopped", 1)}
    by_failure = sweep(1, 2, ends=ends, reasons={"c000-i0-o0": "out of memory"}, scheduler="asha")
    assert tells(why(by_failure, "c000-i1-o0"), "c000-i1-o0 … another seed … c000-i0-o0: out of memory")


def test_why_names_the_limit_that_was_reached() -> None:
    planned = sweep(1, 2, ends={"c000-i1-o0": ("planned", 0)})
    limit = LimitReached("wall_s", 301.0, 300.0)
    ended = dataclasses.replace(planned, history=dataclasses.replace(planned.history, limit=limit))
    assert tells(why(ended, "c000-i1-o0"), "not begun … limit … 5m 00s … wall_s … 5m 01s")


def test_one_trial_has_settings_curve_exits_costs_and_attempts(tables: SweepTables) -> None:
    found = trial_view(tables, "c002-i0-o0")
    settings = found["settings"].set_index("path")
    assert settings.loc["training.learning_rate", "searched"]
    assert float(settings.loc["training.learning_rate", "value"]) == pytest.approx(1e-3)
    assert settings.loc["training.epochs", ["value", "searched"]].tolist() == ["9", False]
    assert found["curve"]["best"].tolist() == [False] * 8 + [True]
    assert found["exits"]["score"].tolist() == pytest.approx(
        [score_of(2, 0, 9) * (0.8 + 0.2 * e / 3) for e in (1, 2, 3)]
    )
    costs = found["costs"].set_index("axis")
    assert costs.loc["wall_s", ["amount", "lost"]].tolist() == pytest.approx([9 * 3.2, 0.0])
    assert np.isnan(costs.loc["energy_j", "amount"])
    assert costs.loc["energy_j", "reason"]
    assert found["attempts"]["reports"].tolist() == [9]
    broken = dataclasses.replace(tables, trials=tables.trials.assign(lost_wall_s=5.0))
    lost = trial_view(broken, "c002-i0-o0")["costs"].set_index("axis")["lost"]
    assert lost["wall_s"] == 5.0
    assert np.isnan(lost["train_flops"])
    assert found["decisions"]["rung"].tolist() == [1, 3]
    assert found.verdict[0] == why(tables, "c002-i0-o0")


def test_one_trial_that_has_not_reported_has_empty_tables() -> None:
    found = trial_view(sweep(1, 2, ends={"c000-i1-o0": ("planned", 0)}), "c000-i1-o0")
    assert not found.refusal
    assert [len(found[name]) for name in ("curve", "exits", "attempts")] == [0, 0, 0]


def test_a_slider_has_thresholds_in_order_and_their_exit_profiles() -> None:
    replayed = with_thresholds(sweep(1, 2), examples=60, policies=("max_probability", "oracle"))
    found = operating_point_table(replayed)
    points = found["points"]
    assert set(points["trial"]) == {"c000-i1-o0"}  # the better seed
    for _, own in points.groupby("policy"):
        assert own["threshold"].dropna().is_monotonic_increasing
        assert own["number"].tolist() == list(range(1, len(own) + 1))
    shares = found["profiles"].groupby(["policy", "number"])["share"].sum()
    assert shares.tolist() == pytest.approx([1.0] * len(shares))
    assert points["profiled"].sum() == len(shares)
    assert points.loc[points["bound"], "profiled"].tolist() == [True]
    other = operating_point_table(replayed, "c000-i0-o0")
    assert set(other["points"]["trial"]) == {"c000-i0-o0"}


def test_a_trial_without_operating_points_is_refused() -> None:
    planned = sweep(1, 2, ends={"c000-i1-o0": ("planned", 0)})
    assert tells(operating_point_table(planned, "c000-i1-o0").refusal, "c000-i1-o0")
    assert NOT_ENDED not in set(learning_curves(planned)["ends"]["end"])
