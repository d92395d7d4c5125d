"""Every exit over seeds, what training took, and what configurations are called."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep

from greenexp.analysis.exits.exit_means import TO_BEST, TO_END, exit_means, exit_scores, training_costs
from greenexp.analysis.sweeps.configuration_names import configuration_names
from greenexp.records.tables import PARAMS, SUMMED_COSTS, SweepTables


def test_exits_of_finished_trials_alone() -> None:
    tables = sweep(3, 3, ends={"c001-i2-o0": ("running", 4), "c002": ("failed", 2)})
    means = exit_means(tables).set_index(["configuration", "exit"])
    assert sorted(set(means.index.get_level_values(0))) == ["c000", "c001"]
    assert means.loc["c000", "seeds"].tolist() == [3, 3, 3]
    assert means.loc["c001", "seeds"].tolist() == [2, 2, 2]
    points = tables.operating_points.merge(tables.trials[["trial", "status"]], on="trial")
    for (configuration, number), row in means.iterrows():
        same = points[(points["configuration"] == configuration) & (points["threshold"] == number)]
        scores = same.loc[same["status"] == "finished", "score"]
        assert row["score_mean"] == pytest.approx(scores.mean())
        assert row["score_std"] == pytest.approx(scores.std(ddof=1))
    assert (exit_scores(tables)["layer"] == 2 * exit_scores(tables)["exit"]).all()


def test_one_seed_has_no_spread() -> None:
    assert exit_means(sweep(2, 1))["score_std"].isna().all()


def test_costs_to_the_end_and_to_the_best_epoch() -> None:
    tables = sweep(2, 2, ends={"c001-i1-o0": ("running", 4)})
    best = tables.trials.assign(best_epoch=pd.array([3, 5, 9, 2], dtype="Int64"))
    tables = dataclasses.replace(tables, trials=best)
    costs = training_costs(tables).set_index(["trial", "until"])
    assert set(costs.index.get_level_values(0)) == {"c000-i0-o0", "c000-i1-o0", "c001-i0-o0"}
    for trial, until in costs.index:
        last = 9 if until == TO_END else int(best.set_index("trial").loc[trial, "best_epoch"])
        epochs = tables.epochs[(tables.epochs["trial"] == trial) & (tables.epochs["epoch"] <= last)]
        assert costs.loc[(trial, until), "epochs"] == last
        assert costs.loc[(trial, until), "train_flops"] == pytest.approx(epochs["train_flops"].sum())


def test_what_was_done_twice_is_counted_once_and_a_hole_is_no_total() -> None:
    tables = sweep(1, 1)
    again = tables.epochs.iloc[[2]].assign(repeated=True)
    epochs = pd.concat([tables.epochs, again], ignore_index=True)
    epochs.loc[4, "cpu_s"] = np.nan
    costs = training_costs(dataclasses.replace(tables, epochs=epochs)).set_index("until")
    plain = training_costs(tables).set_index("until")
    others = [name for name in SUMMED_COSTS if name != "cpu_s"]
    pd.testing.assert_frame_equal(costs[others], plain[others])
    assert np.isnan(costs.loc[TO_END, "cpu_s"])
    assert np.isnan(costs.loc[TO_BEST, "cpu_s"])


def named(*settings: dict[str, object]) -> SweepTables:
    """A sweep of these configurations, whose searched fields are all that occur."""
    tables = sweep(len(settings), 2, method={"name": "berxit"})
    fields = list(dict.fromkeys(name for one in settings for name in one))
    trials = tables.trials.drop(columns=[PARAMS + path for path in tables.parameters])
    columns = {PARAMS + field: [one.get(field) for one in settings for _ in range(2)] for field in fields}
    return dataclasses.replace(tables, trials=trials.assign(**columns))


def test_names_say_what_sets_configurations_apart() -> None:
    tables = named(
        {"method.name": "finetune", "method.layers": None, "training.epochs": 3},
        {"method.name": "finetune", "method.layers": 4, "training.epochs": 3},
        {"method.name": "branchynet", "method.weights": "uniform", "training.epochs": 3},
        {"method.name": "leebert", "method.teachers": "all", "method.weights": "slo", "training.epochs": 3},
        {"method.name": "leebert", "method.teachers": "all", "method.weights": "blo", "training.epochs": 6},
        {"method.name": "leebert", "method.teachers": "last", "method.weights": "blo", "training.epochs": 6},
    )
    names = ["finetune", "finetune layers=4", "branchynet", "leebert all slo", "leebert all blo", "leebert last blo"]
    assert list(configuration_names(tables).values()) == names


def test_other_fields_only_where_the_method_is_the_same() -> None:
    tables = named(
        {"method.name": "pabee", "training.learning_rate": 1e-4},
        {"method.name": "pabee", "training.learning_rate": 3e-4},
        {"method.name": "dbt", "training.learning_rate": 3e-4},
    )
    names = ["pabee training.learning_rate=0.0001", "pabee training.learning_rate=0.0003", "dbt"]
    assert list(configuration_names(tables).values()) == names


def test_a_sweep_of_one_method_is_called_after_its_file_and_nothing_is_called_twice() -> None:
    assert list(configuration_names(named({"x": 1}, {"x": 1}, {"x": 2})).values()) == [
        "berxit x=1 c000", "berxit x=1 c001", "berxit x=2",
    ]  # fmt: skip
