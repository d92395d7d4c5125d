"""Every view can be made of sweeps of every kind: reports within epochs, seeds given up, folds, costs, nothing yet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import test_folds_in_tables
import test_parts_of_epochs
import test_scores_on_a_part_of_dev
from growing_sweeps import session
from made_sweeps import sweep
from told import tells

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.columns import COLUMNS
from greenexp.analysis.views.compared_sweeps import compared_sweeps
from greenexp.analysis.views.contours import score_contour
from greenexp.analysis.views.decisions import scheduler_decisions
from greenexp.analysis.views.learning_curves import PART_OF_DEV, learning_curves
from greenexp.analysis.views.one_trial import trial_view
from greenexp.analysis.views.operating_points import operating_point_table
from greenexp.analysis.views.over_seeds import configurations_over_seeds
from greenexp.analysis.views.parallel import parallel_coordinates
from greenexp.analysis.views.slices import score_slices
from greenexp.analysis.views.timeline import worker_timeline
from greenexp.analysis.views.why import reasons_why, why
from greenexp.figures import Figure, views
from greenexp.journal.tables import tables_of
from greenexp.records.tables import SweepTables

folded = test_folds_in_tables.folded
FIGURES: dict[Callable[[SweepTables], Findings], Callable[[Findings], tuple[Figure, ...]] | None] = {
    learning_curves: views.learning_curve_figures,
    configurations_over_seeds: views.configuration_figures,
    scheduler_decisions: None,
    worker_timeline: views.timeline_figures,
    parallel_coordinates: views.parallel_figures,
    score_slices: views.slice_figures,
    score_contour: views.contour_figures,
    operating_point_table: views.operating_point_figures,
    lambda tables: trial_view(tables, str(tables.trials["trial"].iloc[-1])): views.trial_figures,
    lambda tables: compared_sweeps({"a": tables, "b": sweep(2, 1)}): views.compared_sweep_figures,
}


def check_every_view(tables: SweepTables) -> None:
    """Each has tables with titles, or a refusal; what is drawn is plain JSON; every trial has its reason."""
    for study, draw in FIGURES.items():
        found = study(tables)
        assert bool(found.refusal) != bool(found.tables)
        assert set(found.titles) >= set(found.tables)
        assert found.refusal or COLUMNS in found.tables
        assert all(frame.columns.is_unique for frame in found.tables.values())
        for figure in draw(found) if draw else ():
            json.dumps(figure.spec, allow_nan=False)
    told = reasons_why(tables)
    assert list(told) == tables.trials["trial"].tolist()
    assert all(tells(sentence, trial) for trial, sentence in told.items())


@pytest.mark.parametrize("scheduler", ["{name: sha, reduction_factor: 3, seeds: [1, 2, 3]}", "{name: seed_racing}"])
def test_seeds_that_were_given_up(tmp_path: Path, scheduler: str) -> None:
    fields = (f"scheduler={scheduler}", "search={name: random, samples: 9}", "seeds.initialisation=3")
    tables = tables_of(session(tmp_path, *fields))
    check_every_view(tables)
    given_up = tables.trials[(tables.trials["status"] == "stopped") & (tables.trials["epochs"] == 0)]["trial"]
    assert len(given_up)
    assert tells(why(tables, given_up.iloc[0]), "given up before it began")
    assert not set(given_up) & set(configurations_over_seeds(tables)["seeds"]["trial"])


def test_rungs_at_costs_are_named_by_them(tmp_path: Path) -> None:
    fields = (
        "scheduler={name: asha, resource: train_flops, grace_period: 2 GFLOP}", "search={name: random, samples: 9}",
    )  # fmt: skip
    tables = tables_of(session(tmp_path, *fields))
    check_every_view(tables)
    rows = scheduler_decisions(tables)["decisions"].dropna(subset=["level"])
    assert all("train_flops" in name for name in rows["rung_name"])
    assert len(learning_curves(tables, axis="train_flops")["rungs"])
    assert learning_curves(tables)["rungs"].empty


def test_reports_within_epochs(tmp_path: Path) -> None:
    tables = test_parts_of_epochs.recorded(tmp_path, stopped_at=2)
    check_every_view(tables)
    curves = learning_curves(tables)["curves"]
    assert not (curves["position"] % 1 == 0).all()


def test_reports_on_a_part_of_dev(tmp_path: Path) -> None:
    trials = test_scores_on_a_part_of_dev.TRIALS
    tables = test_scores_on_a_part_of_dev.played(tmp_path, test_scores_on_a_part_of_dev.ASHA, trials[::-1])
    check_every_view(tables)
    assert PART_OF_DEV in set(learning_curves(tables)["curves"]["scored_on"])


def test_folds(folded: SweepTables) -> None:
    check_every_view(folded)
    assert configurations_over_seeds(folded)["seeds"]["fold"].notna().all()


@pytest.mark.parametrize(
    "tables",
    [
        sweep(3, 1, metric={"name": "loss", "mode": "min"}),
        sweep(2, 2, ends={"c000": ("planned", 0), "c001": ("planned", 0)}),
        sweep(2, 2, ends={"c000": ("failed", 1), "c001": ("failed", 0)}),
        sweep(1, 1, epochs=1, exits=1),
    ],
    ids=["min", "not begun", "all failed", "one"],
)
def test_small_and_sad_sweeps(tables: SweepTables) -> None:
    check_every_view(tables)


def test_a_sweep_without_searched_fields() -> None:
    tables = sweep(2, 1)
    kept = [column for column in tables.trials if not str(column).startswith("params.")]
    check_every_view(dataclasses.replace(tables, trials=tables.trials[kept]))


def test_numbers_that_are_missing_are_not_drawn() -> None:
    tables = sweep(2, 1)
    loss = tables.epochs["train_loss"].where(tables.epochs["epoch"] > 1)
    without = dataclasses.replace(tables, epochs=tables.epochs.assign(train_loss=loss))
    assert learning_curves(without, value="train_loss")["curves"]["epoch"].min() == 2
