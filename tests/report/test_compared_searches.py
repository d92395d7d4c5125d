"""The section that compares the searches of one sweep, and what other sections say of such a sweep."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from made_settings import changed_spec
from made_sweeps import sweep

import greenexp
from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.records.tables import SweepTables
from greenexp.report.sections import SECTIONS, target, tuning_band
from greenexp.report.sections.compared_searches import section

METHODS = ("leebert", "dbt", "branchynet")
SPACE = {
    "method.name": {"dist": "choice", "values": list(METHODS)},
    "method.temperature": {"dist": "uniform", "low": 1, "high": 8, "when": {"method.name": ["dbt", "leebert"]}},
}


def searched(each: int = 12, gap: float = 0.05, search: str = "random", ends: Any = None, **metric: Any) -> SweepTables:
    """Three methods in turn, the first the best by `gap`; a score per configuration, the mean of two seeds."""
    rng = np.random.default_rng(0)
    made = sweep(3 * each, 2, ends=ends, metric={"name": "accuracy", **metric}, space=SPACE)
    place = made.trials["configuration"].factorize()[0]
    method = place % 3
    score = 0.8 - gap * method + 0.01 * rng.normal(size=3 * each)[place] + 0.001 * rng.normal(size=len(place))
    trials = made.trials.drop(columns="params.training.learning_rate").assign(
        **{
            "params.method.name": np.array(METHODS)[method],
            "params.method.temperature": np.where(method < 2, 2.0, np.nan),
        },
        score=made.trials["score"].where(made.trials["score"].isna(), score),
        train_flops=1e9 * (1.0 + method),
    )
    spec = changed_spec(made.spec, search={"name": search, "samples": each, "per": "method.name"})
    return dataclasses.replace(made, trials=trials, spec=spec)


def test_searches_with_a_budget_of_their_own_are_compared_over_its_axis() -> None:
    tables = searched()
    limited = {**tables.spec.search.to_json(), "budget": {"cpu_s": "1h"}}
    tables = dataclasses.replace(tables, spec=changed_spec(tables.spec, search=limited))
    made = section(tables)
    assert "cpu_s" in [column.name for column in made.tables[0].columns]
    assert [plate.table.columns[1].title for plate in made.plates if plate.figure.name == "compared-searches-cost"] == [
        "cpu_s"
    ]
    assert "1h" in " ".join(made.assumptions)


def scores_of(tables: SweepTables, method: str) -> Any:
    own = tables.trials[tables.trials["params.method.name"] == method]
    return own.groupby("configuration", sort=False)["score"].mean().to_numpy()


def test_curves_and_probabilities_are_those_of_the_groups() -> None:
    tables = searched()
    made = section(tables)
    curves = made.plates[0].table.frame
    for method in METHODS:
        own = curves[curves["group"] == method]
        assert own["n"].tolist() == list(range(1, 13))
        expected = tuning_curve(scores_of(tables, method), np.arange(1, 13), "median")
        np.testing.assert_allclose(own["estimate"], expected)
        assert (own["lower_95"].isna() | (own["lower_95"] <= own["estimate"])).all()
    probabilities = made.plates[1].table.frame
    row = probabilities[(probabilities["a"] == "leebert") & (probabilities["b"] == "dbt")].set_index("budget").loc[4]
    expected = probability_better(scores_of(tables, "leebert"), scores_of(tables, "dbt"), 4, 4)
    assert row["probability_better"] == pytest.approx(expected)
    assert probabilities["budget"].max() == 6


def test_the_summary_counts_what_each_search_came_to() -> None:
    tables = searched(ends={"c004": ("failed", 3)})
    frame = _table(tables, "compared-searches-summary")
    assert frame["group"].tolist() == list(METHODS)
    assert frame["configurations"].tolist() == [12, 12, 12]
    assert frame["failed"].tolist() == [0, 1, 0]
    assert frame["scored"].tolist() == [12, 11, 12]
    assert frame["train_flops"].tolist() == [24e9, 48e9, 72e9]
    assert frame["best"].iloc[0] == pytest.approx(scores_of(tables, "leebert").max())


def _table(tables: SweepTables, name: str) -> Any:
    return next(table.frame for table in section(tables).all_tables if table.name == name)


def test_a_smaller_score_may_be_better() -> None:
    tables = searched(mode="min")
    assert _table(tables, "compared-searches-summary")["best"].iloc[2] == pytest.approx(
        scores_of(tables, "branchynet").min()
    )
    pairs = _table(tables, "pairs")
    row = pairs[(pairs["a"] == "leebert") & (pairs["b"] == "branchynet") & (pairs["budget"] == 1)].iloc[0]
    assert row["probability_better"] < 0.1


def test_groups_are_those_of_the_searches_without_being_asked() -> None:
    tables = searched()
    found = greenexp.compare(tables)
    assert set(found["pairs"]["a"]) | set(found["pairs"]["b"]) == set(METHODS)
    assert greenexp.compare(tables, by="method.name")["pairs"].equals(found["pairs"])
    assert set(greenexp.curve(tables)["curve"]["by"]) == set(METHODS)
    assert greenexp.compare(tables, by="method.temperature").refusal


@pytest.mark.parametrize(
    "tables",
    [
        searched(each=3),
        searched(each=2, ends={"c004": ("stopped", 3)}),
        searched(ends={f"c{n:03d}": ("failed", 1) for n in range(36)}),
        searched(ends={f"c{n:03d}": ("planned", 0) for n in range(36)}),
        sweep(4),
    ],
    ids=["three each", "stopped", "all failed", "not begun", "one search"],
)
def test_every_section_can_be_made_of_such_a_sweep(tables: SweepTables) -> None:
    assert [each(tables).name for each in SECTIONS.values()] == list(SECTIONS)


@pytest.mark.parametrize(
    "tables",
    [searched(search="tpe"), searched(ends={"c004": ("stopped", 3)}), searched(each=1)],
    ids=["learns", "stopped", "one each"],
)
def test_searches_that_cannot_be_compared_are_counted(tables: SweepTables) -> None:
    made = section(tables)
    assert len(made.tables[0].frame) == 3
    assert bool(made.plates) == (tables.trials["configuration"].nunique() == 3)


def test_no_curve_is_drawn_over_all_searches_together() -> None:
    tables = searched()
    assert not tuning_band.section(tables).plates
    assert not target.section(tables).plates
    assert section(tables).plates


def test_a_sweep_under_way_is_compared_by_the_configurations_that_have_ended() -> None:
    under_way = {f"c{n:03d}": ("planned", 0) for n in range(27, 36)} | {"c026-i1-o0": ("running", 3)}
    tables = searched(ends=under_way)
    frame = _table(tables, "compared-searches-summary")
    assert frame["configurations"].tolist() == [9, 9, 8]
    assert frame["train_flops"].notna().all()
    curves = section(tables).plates[0].table.frame
    assert curves.groupby("group")["n"].max().to_dict() == {"leebert": 9, "dbt": 9, "branchynet": 8}
