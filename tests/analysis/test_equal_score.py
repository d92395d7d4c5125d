"""The fastest way to the score of the last exit, found by hand; and what is worked out once for a sweep."""

from __future__ import annotations

import dataclasses
import gc

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp.analysis.exits.equal_score import equal_score
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.once import once_per_sweep
from greenexp.records.tables import SweepTables


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    return with_thresholds(sweep(2, 2, exits=4), 300, policies=("max_probability", "patience", "oracle"), test=True)


def own_points(tables: SweepTables) -> pd.DataFrame:
    return chosen_trials(tables).rows(tables.operating_points)


def test_no_way_that_is_as_good_is_faster(tables: SweepTables) -> None:
    found, points = equal_score(tables), own_points(tables)
    assert found is not None
    alone = points[points["policy"] == "static"].groupby("threshold")[["score", "speed_up"]].mean()
    assert found.last_exit == alone["score"].iloc[-1]
    assert found.dev >= found.last_exit
    assert found.policy != "oracle"
    assert found.speed_up >= alone.loc[alone["score"] >= found.last_exit, "speed_up"].max()
    for policy, rows in points[~points["policy"].isin(["static", "oracle"])].groupby("policy"):
        best = [
            trial.loc[trial["speed_up"] > found.speed_up + 0.2, "score"].max() for _, trial in rows.groupby("trial")
        ]
        assert not np.mean(best) >= found.last_exit, policy


def test_the_first_exit_alone_wins_if_it_is_as_good_and_a_policy_cannot_be_faster(tables: SweepTables) -> None:
    points = tables.operating_points
    level = points.assign(score=points["score"].where(points["policy"] != "static", 0.9))
    worse = level.assign(score=level["score"].where(level["policy"] == "static", 0.1))
    found = equal_score(dataclasses.replace(tables, operating_points=worse))
    assert found is not None
    assert (found.policy, found.exit) == ("static", 1)
    assert found.speed_up == pytest.approx(own_points(tables).query("policy == 'static'")["speed_up"].max())


def test_where_only_the_last_exit_is_as_good_nothing_is_faster(tables: SweepTables) -> None:
    points = tables.operating_points
    last = (points["policy"] == "static") & (points["threshold"] == 4)
    found = equal_score(dataclasses.replace(tables, operating_points=points.assign(score=np.where(last, 0.99, 0.5))))
    assert found is not None
    assert (found.policy, found.exit, found.speed_up) == ("static", 4, 1.0)


def test_without_scores_there_is_none() -> None:
    assert equal_score(sweep(2, 1, ends={"c000": ("failed", 1), "c001": ("failed", 2)})) is None


def test_a_study_is_done_once_for_each_sweep_and_forgotten_with_it() -> None:
    done: list[str] = []

    @once_per_sweep
    def study(tables: SweepTables) -> int:
        done.append(tables.history.name)
        return len(done)

    first, second = sweep(1, 1), sweep(1, 1)
    assert [study(first), study(second), study(first)] == [1, 2, 1]
    assert study(dataclasses.replace(first)) == 3
    del first
    gc.collect()
    assert study(second) == 2
