"""Bounds hit, leaders and importance, on made-up sweeps whose truth is known."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from made_settings import changed_spec
from made_sweeps import sweep
from told import tells

from greenexp.analysis.comparing.lead_of_sweep import lead_over
from greenexp.analysis.search.importance import FEWEST, PERMUTATIONS, importance
from greenexp.analysis.search.search_space import bounds_hit, leaders
from greenexp.records.tables import SweepTables

SPACE: dict[str, dict[str, Any]] = {
    "rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-1},
    "width": {"dist": "int", "low": 2, "high": 17, "step": 2},
    "decay": {"dist": "uniform", "low": 0.0, "high": 1.0},
    "batch": {"dist": "choice", "values": [64, 16, 32]},
    "loss": {"dist": "choice", "values": ["a", None, True, 1]},
}


def searched(number: int = 60, seeds: int = 2, minimize: bool = False, seed: int = 0, **changes: Any) -> SweepTables:
    """Only `rate` matters, and the higher the better, up to its bound."""
    rng = np.random.default_rng(seed)
    values = {
        "rate": 10 ** rng.uniform(-4, -1, number),
        "width": rng.integers(1, 9, number) * 2,
        "decay": rng.random(number),
        "batch": np.array([64, 16, 32])[rng.integers(0, 3, number)],
        "loss": np.array(["a", None, True, 1], dtype=object)[rng.integers(0, 4, number)],
    }
    made = sweep(number, seeds, metric={"name": "accuracy", "mode": "min" if minimize else "max"}, space=SPACE)
    trials = made.trials.drop(columns="params.training.learning_rate")
    place = trials["configuration"].factorize()[0]
    score = 0.3 * np.log10(values["rate"])[place] + 0.01 * rng.normal(size=len(trials))
    columns = {f"params.{name}": column[place] for name, column in (values | changes).items()}
    return dataclasses.replace(made, trials=trials.assign(score=-score if minimize else score, **columns))


@pytest.mark.parametrize("minimize", [False, True])
def test_the_bound_that_was_hit_is_found_and_no_other(minimize: bool) -> None:
    found = bounds_hit(searched(200, minimize=minimize)).set_index(["parameter", "end"])
    assert list(found.index[found["hit"]]) == [("rate", "high")]
    row = found.loc[("rate", "high")]
    assert (row["configurations"], row["best"], row["bound"], row["scale"]) == (200, 20, 0.1, "loguniform")
    assert row["leader_near"]
    assert row["by_chance"] < 1e-6
    assert set(found.index) == set(itertools.product(["rate", "width", "decay", "batch"], ["low", "high"])), "no words"
    assert found.loc[("width", "high"), "bound"] == 16, "17 is not reached in steps of 2"
    assert found.loc[("batch", "low"), "bound"] == 16


def test_near_is_counted_on_the_distributions_own_scale() -> None:
    span = 3 * math.log(10)
    edge = np.array(
        [1e-4 * math.exp(0.049 * span), 1e-4 * math.exp(0.051 * span), 1e-1, 1e-1 * math.exp(-0.051 * span)]
    )
    tables = searched(4, rate=edge, width=np.array([2, 4, 16, 14]))
    found = bounds_hit(tables).set_index(["parameter", "end"])["near_all"]
    assert found["rate"].to_dict() == {"low": 1, "high": 1}
    assert found["width"].to_dict() == {"low": 1, "high": 1}


def test_by_chance_is_what_all_choices_of_the_best_give() -> None:
    tables = searched(20)
    found = bounds_hit(tables)
    assert len(found) == 8
    assert found["near"].max() > 0
    for row in found.itertuples():
        marks = [1] * row.near_all + [0] * (row.configurations - row.near_all)
        ways = [sum(chosen) >= row.near for chosen in itertools.combinations(marks, row.best)]
        assert row.by_chance == pytest.approx(np.mean(ways), abs=1e-12)


def test_leaders_are_behind_by_their_leads() -> None:
    tables = searched(12, seeds=3)
    top = leaders(tables, 4)
    assert top["rank"].tolist() == [1, 2, 3, 4]
    assert top["score_mean"].is_monotonic_decreasing
    assert math.isnan(top["behind"][0])
    lead = lead_over(tables, top["configuration"][0], top["configuration"][2])
    numbers = (lead.interval.lead, lead.interval.error, lead.interval.lower, lead.interval.upper)
    assert tuple(top.loc[2, ["behind", "error", "lower", "upper"]]) == numbers
    assert (top["verdict"][0], top["verdict"][2]) == ("", str(lead.verdict))
    assert top["behind"][1:].is_monotonic_increasing
    assert "params.rate" in top
    assert (leaders(searched(12, minimize=True), 4)["behind"][1:] > 0).all()


def test_a_sweep_without_scores_or_without_a_space_has_neither() -> None:
    none = sweep(3, 2, ends={f"c{c:03d}": ("planned", 0) for c in range(3)}, space=SPACE)
    assert bounds_hit(none).empty
    assert leaders(none).empty
    assert importance(none, np.random.default_rng(0)).refusal
    listed = dataclasses.replace(searched(60), spec=changed_spec(searched(60).spec, space={}))
    assert bounds_hit(listed).empty
    assert "no hyperparameter" in importance(listed, np.random.default_rng(0)).refusal


@pytest.mark.parametrize("minimize", [False, True])
def test_what_decided_is_important_and_the_rest_is_chance(minimize: bool) -> None:
    found = importance(searched(120, minimize=minimize), np.random.default_rng(0))
    assert (found.refusal, found.configurations, found.without_score) == ("", 120, 0)
    table = found.table.set_index("parameter")
    assert table.index[0] == "rate"
    assert set(table.index) == set(SPACE)
    assert table["importance"].sum() == pytest.approx(1)
    assert table.loc["rate", "importance"] > 0.7
    assert table.loc["rate", "by_chance"] == 1 / (PERMUTATIONS + 1)
    assert (table["by_chance"].drop("rate") > 0.02).all()


def test_importance_is_the_librarys_own_and_the_same_for_one_seed() -> None:
    import optuna

    known = {
        "rate": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
        "decay": optuna.distributions.FloatDistribution(0.0, 1.0),
    }
    tables = searched(60, seeds=1)
    both = dataclasses.replace(tables, spec=changed_spec(tables.spec, space={name: SPACE[name] for name in known}))
    found = importance(both, np.random.default_rng(1))
    assert found.table.equals(importance(both, np.random.default_rng(1)).table)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    for trial in tables.trials.to_dict("records"):
        params = {name: trial[f"params.{name}"] for name in known}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=known, value=trial["score"]))
    with warnings.catch_warnings():  # the evaluator is called experimental
        warnings.simplefilter("ignore")
        direct = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    assert found.table.set_index("parameter")["importance"].to_dict() == pytest.approx(direct)


def test_too_few_configurations_are_refused_and_failures_counted() -> None:
    refused = importance(searched(FEWEST - 1), np.random.default_rng(0))
    assert refused.table.empty
    assert tells(refused.refusal, f"{FEWEST - 1} configurations … {FEWEST}")
    whole = searched(60)
    failed = whole.trials.assign(status=whole.trials["status"].mask(whole.trials["index"] < 4, "failed"))
    found = importance(dataclasses.replace(whole, trials=failed), np.random.default_rng(0))
    assert (found.configurations, found.without_score) == (58, 2)


def test_importance_needs_no_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"sklearn", "optuna"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert not importance(searched(60, seeds=1), np.random.default_rng(0)).refusal


def test_a_field_with_a_condition_is_judged_among_the_configurations_that_have_it() -> None:
    conditional = {**SPACE, "decay": {**SPACE["decay"], "when": {"loss": ["a"]}}}
    tables = searched(200)
    has = tables.trials["params.loss"] == "a"
    best = tables.trials["score"] > tables.trials["score"][has].quantile(0.85)
    decay = np.where(best, 0.99, tables.trials["params.decay"] * 0.9)
    trials = tables.trials.assign(**{"params.decay": np.where(has, decay, np.nan)})
    spec = changed_spec(tables.spec, space=conditional)
    made = dataclasses.replace(tables, trials=trials, spec=spec)
    count = trials[has]["configuration"].nunique()
    row = bounds_hit(made).set_index(["parameter", "end"]).loc[("decay", "high")]
    assert (row["configurations"], row["best"], row["hit"]) == (count, math.ceil(count / 10), True)
    others = bounds_hit(made).set_index(["parameter", "end"]).loc[("rate", "high")]
    assert others["configurations"] == 200
    found = importance(made, np.random.default_rng(0))
    assert not found.refusal
    assert set(found.table["parameter"]) == {"rate", "width", "batch", "loss"}
