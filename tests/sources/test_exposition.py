"""What is exported to Prometheus: every number of a status, by its name and labels, and nothing that is not known."""

from __future__ import annotations

import dataclasses

import pytest
from exported_sweeps import BARE, EVERYTHING, parsed

from greenexp.records.axes import AXES
from greenexp.records.exposition_text import head, sample
from greenexp.sources.exposition import METRICS, axis_metric, exposition


def test_every_number_of_a_status_is_there_under_its_name() -> None:
    found = parsed(exposition([EVERYTHING]))
    assert found["greenexp_trials"].of(state="paused") == 1
    assert found["greenexp_trials"].of(state="interrupted") == 0
    assert found["greenexp_trials_waiting"].of() == 5
    assert found["greenexp_decisions_total"].of(action="pause") == 7
    assert found["greenexp_decisions_total"].of(action="go_on") == 0
    assert found["greenexp_reports_total"].of(sweep="smoke", folder="out/smoke") == 36
    assert found["greenexp_best_score"].of() == 0.873
    assert found["greenexp_best_trial_info"].of(trial="c003-i0-o0") == 1
    assert found["greenexp_trial_energy_joules_total"].of(trial="c000-i0-o0") == 12.5
    assert found["greenexp_metered_energy_joules_total"].of(part="unattributed") == 3
    assert found["greenexp_remaining_seconds"].of() == 90
    assert found["greenexp_last_event_timestamp_seconds"].of() == 1_700_000_000.5
    assert found["greenexp_mlflow_behind_events"].of() == 4
    assert found["greenexp_sweep_state"].of(state="running or killed") == 1
    assert sum(found["greenexp_sweep_state"].samples.values()) == 1
    assert {name for name, metric in found.items() if metric.kind == "counter"} == {
        name for name in found if name.endswith("_total")
    }


@pytest.mark.parametrize("axis", AXES)
def test_every_axis_has_what_was_used_lost_and_allowed(axis: str) -> None:
    found = parsed(exposition([EVERYTHING]))
    name = axis_metric(AXES[axis])
    assert found[f"greenexp_used_{name}_total"].of() == EVERYTHING.used[axis]
    assert found[f"greenexp_limit_{name}"].of() == EVERYTHING.limits[axis]
    assert found["greenexp_budget_used_ratio"].of(axis=axis) == pytest.approx(0.1)
    assert (f"greenexp_lost_{name}_total" in found) == (axis != "trials")
    assert found["greenexp_budget_reserved_ratio"].of(axis=axis) == 5 / EVERYTHING.limits[axis]


def test_names_end_in_the_unit() -> None:
    named = {axis: axis_metric(row) for axis, row in AXES.items()}
    assert named["wall_s"] == "wall_seconds"
    assert named["energy_j"] == "energy_joules"
    assert named["train_flops"] == "train_flops"
    assert named["carbon_g"] == "carbon_grams"
    assert named["epochs"] == "epochs"
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)


def test_what_is_not_known_is_absent_and_not_zero() -> None:
    found = parsed(exposition([BARE]))
    unknown = {"best_score", "mlflow_behind_events", "remaining_seconds", "used_energy_joules_total", "limit_epochs"}
    assert {f"greenexp_{name}" for name in unknown} & set(found) == set()
    assert found["greenexp_sweep_state"].of(sweep="bare", state="not begun") == 1
    assert exposition([]) == ""


def test_sweeps_of_one_name_are_told_apart_by_their_folders() -> None:
    other = dataclasses.replace(EVERYTHING, folder="out/smoke-2", reports=1)
    found = parsed(exposition([EVERYTHING, other, EVERYTHING]))
    assert len(found["greenexp_reports_total"].samples) == 2
    assert found["greenexp_reports_total"].of(folder="out/smoke-2") == 1


def test_labels_and_numbers_are_written_as_the_format_asks() -> None:
    odd = 'a "b"\\c\nd'
    found = parsed(exposition([dataclasses.replace(EVERYTHING, name=odd)]))
    assert found["greenexp_reports_total"].of(sweep=odd) == 36
    assert sample("x", {}, float("nan")) == "x NaN"
    assert sample("x", {}, float("inf")) == "x +Inf"
    assert sample("x", {}, 2.0**60) == f"x {2.0**60!r}"
    assert head("x", "gauge", "a\nb")[0] == r"# HELP x a\nb"
