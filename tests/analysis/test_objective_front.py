"""The front of a sweep with several objectives, against brute force on made-up sweeps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from made_settings import changed_spec
from made_sweeps import sweep

from greenexp.analysis.fronts.objectives import objective_front
from greenexp.records.axes import AXES
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.objectives import UNITS, directions_of, objective_of
from greenexp.records.sections import Metric
from greenexp.records.tables import SweepTables
from greenexp.report.sections import SECTIONS
from greenexp.report.sections.objectives import section


def made(
    objectives: tuple[str, ...] = ("score", "inference_flops"), number: int = 14, mode: str = "max", **more: Any
) -> SweepTables:
    """Configurations with random objectives."""
    rng = np.random.default_rng(3)
    tables = sweep(number, 2, metric={"name": "accuracy", "mode": mode}, objectives=list(objectives), **more)
    place = tables.trials["configuration"].factorize()[0]
    columns = {f"objectives.{name}": rng.uniform(1, 9, number)[place] for name in objectives[1:]}
    score = tables.trials["score"].where(tables.trials["score"].isna(), rng.random(len(place)))
    return dataclasses.replace(tables, trials=tables.trials.assign(score=score, **columns))


def dominated(row: Any, rows: Any, signs: list[float]) -> bool:
    """By brute force."""
    mine = [sign * value for sign, value in zip(signs, row, strict=True)]
    others = [[sign * value for sign, value in zip(signs, other, strict=True)] for other in rows]
    return any(all(o <= m for o, m in zip(other, mine, strict=True)) and other != mine for other in others)


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("objectives", [("score", "inference_flops"), ("score", "wall_s", "train_flops")])
def test_the_front_is_what_no_other_dominates(objectives: tuple[str, ...], mode: str) -> None:
    found = objective_front(made(objectives, mode=mode))
    rows = found.table[list(objectives)].to_numpy().tolist()
    signs = [-1.0 if mode == "max" else 1.0, *[1.0] * (len(objectives) - 1)]
    assert found.table["on_front"].tolist() == [not dominated(row, rows, signs) for row in rows]
    assert 0 < len(found.front) < len(rows)


def test_the_hypervolume_is_the_area_that_is_dominated() -> None:
    found = objective_front(made())
    reference = (found.reference["score"], found.reference["inference_flops"])
    points = found.table[["score", "inference_flops"]].to_numpy()
    rng = np.random.default_rng(0)
    low, high = np.array([reference[0], 0.0]), np.array([1.0, reference[1]])
    drawn = rng.uniform(low, high, (20000, 2))
    inside = np.zeros(len(drawn), dtype=bool)
    for score, cost in points:
        inside |= (drawn[:, 0] <= score) & (drawn[:, 1] >= cost)
    area = float(inside.mean() * np.prod(high - low))
    assert found.curve["hypervolume"].iloc[-1] == pytest.approx(area, rel=0.05)
    assert found.curve["hypervolume"].is_monotonic_increasing
    assert found.curve["configurations"].tolist() == list(range(1, 15))


def test_what_did_not_train_to_its_end_does_not_count() -> None:
    ends = {"c001": ("failed", 3), "c002": ("stopped", 3), "c003-i0-o0": ("running", 2)}
    tables = made(ends=ends)
    lost = tables.trials["objectives.inference_flops"].where(tables.trials["trial"] != "c004-i1-o0")
    found = objective_front(
        dataclasses.replace(tables, trials=tables.trials.assign(**{"objectives.inference_flops": lost}))
    )
    out = set(found.table.loc[~found.table["counts"], "configuration"])
    assert out == {"c001", "c002", "c003", "c004"}
    assert not set(found.front["configuration"]) & out


@pytest.mark.parametrize(
    "tables",
    [
        made(),
        made(("score", "wall_s", "train_flops")),
        made(("score", "parameters")),
        made(number=1),
        made(mode="min"),
        made(ends={f"c{n:03d}": ("failed", 1) for n in range(14)}),
        made(ends={f"c{n:03d}": ("planned", 0) for n in range(14)}),
        sweep(3),
    ],
    ids=["two", "three", "parameters", "one configuration", "min", "all failed", "not begun", "one objective"],
)
def test_every_section_can_be_made_of_such_a_sweep(tables: SweepTables) -> None:
    assert [each(tables).name for each in SECTIONS.values()] == list(SECTIONS)
    assert bool(section(tables).tables) == (
        len(tables.spec.objectives) > 1 and bool(objective_front(tables).table["counts"].any())
    )


def record(epoch: int, score: float, wall_s: float, energy_j: float | None = None) -> EpochRecord:
    exits = (
        ExitScore(1, 1, {"accuracy": score - 0.1}, 10.0),
        ExitScore(2, 2, {"accuracy": score}, 20.0),
        ExitScore(3, 3, {"accuracy": score - 0.2}, 60.0),
    )
    costs = Costs(wall_s=wall_s, train_flops=100.0, energy_j=energy_j)
    return EpochRecord(epoch, epoch, 1, 0.0, 0.0, score, max(score, 0.5), exits, costs)


def test_an_objective_of_a_trial_is_that_of_its_records() -> None:
    records = {1: record(1, 0.5, 2.0), 2: record(2, 0.4, 3.0)}
    values = {name: objective_of(name, records, Metric()) for name in ("score", *UNITS)}
    assert values == {
        "score": 0.5,
        "inference_flops": 30.0,
        "train_flops": 200.0,
        "wall_s": 5.0,
        "energy_j": None,
        "parameters": None,
    }
    flops = {
        which: objective_of("inference_flops", records, Metric(exit=which)) for which in ("mean", "last", "best", 1, 7)
    }
    assert flops == {"mean": 30.0, "last": 60.0, "best": 20.0, 1: 10.0, 7: None}
    assert objective_of("wall_s", {}, Metric()) is None
    known = {1: records[1], 2: dataclasses.replace(records[2], parameters=16_777_217)}
    assert objective_of("parameters", known, Metric()) == 16_777_217
    assert directions_of(("score", "wall_s"), "min") == {"score": "min", "wall_s": "min"}


def test_units_of_costs_are_those_of_the_budget_axes() -> None:
    for name in UNITS.keys() - {"inference_flops", "parameters"}:
        assert UNITS[name] == AXES[name].unit


def test_a_sweep_with_one_objective_has_no_further_columns() -> None:
    assert not [column for column in sweep(2).trials if str(column).startswith("objectives.")]
    several = sweep(2, objectives=["score", "inference_flops", "energy_j"])
    assert several.trials["objectives.inference_flops"].notna().all()
    assert several.trials["objectives.energy_j"].isna().all()
    assert changed_spec(several.spec).objectives == ("score", "inference_flops", "energy_j")
