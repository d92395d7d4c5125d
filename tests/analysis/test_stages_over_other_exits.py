"""A method with stages: early reports may be over other exits than the last ones, and are not compared with them."""

from __future__ import annotations

import dataclasses

import pytest
from made_sweeps import sweep

from greenexp.analysis.curves.best_so_far import best_so_far_over
from greenexp.analysis.stopping.simulate_curves import sweep_points
from greenexp.analysis.sweeps.scored_exits import exits_at_the_end, over_other_exits
from greenexp.records.tables import SweepTables

STAGED = "c001-i0-o0"


def staged(first_epochs: int = 3) -> SweepTables:
    """A sweep of which one trial was scored over its last exit alone in its first epochs, far above all others."""
    tables = sweep(3, 1)
    early = (tables.exits["trial"] == STAGED) & (tables.exits["epoch"] <= first_epochs)
    exits = tables.exits[~(early & (tables.exits["exit"] < 3))]
    first = (tables.epochs["trial"] == STAGED) & (tables.epochs["epoch"] <= first_epochs)
    epochs = tables.epochs.assign(score=tables.epochs["score"].where(~first, 0.99))
    return dataclasses.replace(tables, exits=exits, epochs=epochs)


def test_the_exits_of_the_last_report_are_the_trials():
    tables = staged()
    assert set(exits_at_the_end(tables).values()) == {(1, 2, 3)}
    other = tables.epochs[over_other_exits(tables, tables.epochs)]
    assert other["trial"].unique().tolist() == [STAGED]
    assert other["epoch"].tolist() == [1, 2, 3]


def test_the_best_so_far_never_holds_a_score_of_another_stage():
    curve = best_so_far_over(staged(), "epochs")
    assert curve["score"].max() == staged().trials["score"].max() < 0.99
    assert curve["cost"].iloc[-1] == 27, "what the first stage cost is paid all the same"


def test_a_trial_still_in_its_first_stage_has_that_stages_score():
    assert best_so_far_over(staged(first_epochs=9), "epochs")["score"].max() == 0.99


def test_curves_over_two_kinds_of_scores_are_not_simulated():
    with pytest.raises(ValueError, match=f"1 of 3 trials.*{STAGED}"):
        sweep_points(staged())
    assert len(sweep_points(sweep(3, 1))) == 27
