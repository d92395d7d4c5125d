"""Simulated halving over several objectives: by brute force, as a live scheduler is told, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep
from simulated import made

from greenexp.analysis.stopping.options import StoppingOptions
from greenexp.analysis.stopping.recorded_objectives import COSTS, objectives_at_reports
from greenexp.analysis.stopping.simulate import Simulation, simulate
from greenexp.analysis.stopping.simulate_curves import RecordedCurves, recorded_curves
from greenexp.analysis.stopping.study import stopping_study
from greenexp.errors import InputError
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.objectives import costs_so_far
from greenexp.schedulers import build
from greenexp.sources.learning_curves import CurveRequest, read_curves

SECTIONS = {name: {"name": name} for name in ("fifo", "asha", "mo_halving")}


def with_costs(units: int = 20, costs: int = 1, seed: int = 4, *, minimize: bool = False) -> RecordedCurves:
    """Curves whose costs among the objectives rise with the part, and from unit to unit with the score."""
    curves = made(units=units, seed=seed, minimize=minimize)
    rng = np.random.default_rng(seed)
    rising = np.arange(1, 10)[None, :, None] + rng.uniform(0, 5, (units, 1, costs))
    held = rising * (0.5 + np.abs(curves.final))[:, None, None]
    names = tuple(f"cost{k}" for k in range(costs))
    return dataclasses.replace(curves, objectives=names, objective_costs=held)


def searched(curves: RecordedCurves, trials: int, **more) -> Simulation:
    how = {"rng": np.random.default_rng(0), "repeats": 30, **more}
    return simulate(curves, how.pop("schedulers", SECTIONS), [trials], **how)


def dominated(points: np.ndarray, one: int) -> bool:
    """All signed so that greater is better."""
    return any((other >= points[one]).all() and (other > points[one]).any() for other in points)


def first_of(points: np.ndarray, number: int) -> list[int]:
    """The first `number` by front, and in a front best score first, then farthest from those before."""
    left, order = list(range(len(points))), []
    while left:
        front = [left[k] for k in range(len(left)) if not dominated(points[left], k)]
        low, high = points[front].min(axis=0), points[front].max(axis=0)
        scaled = {i: (points[i] - low) / np.where(high > low, high - low, 1) for i in front}
        inside = [max(front, key=lambda i: (points[i, 0], -i))]
        while len(inside) < len(front):
            rest = [i for i in front if i not in inside]
            inside.append(max(rest, key=lambda i: min(((scaled[i] - scaled[j]) ** 2).sum() for j in inside)))
        order += inside
        left = [i for i in left if i not in front]
    return order[:number]


def plain_halving(curves: RecordedCurves, rungs: Sequence[int] = (1, 3), eta: int = 3) -> tuple[list[int], float]:
    """One worker: each unit to its end, or to the rung at which it is not among the first third of those that came."""
    assert curves.objective_costs is not None
    sign = -1.0 if curves.minimize else 1.0
    came: dict[int, list[int]] = {rung: [] for rung in rungs}
    finished, cost = [], 0.0
    for unit in range(len(curves.units)):
        end = curves.scores.shape[1]
        for rung in rungs:
            came[rung].append(unit)
            scores = sign * curves.scores[came[rung], rung - 1]
            points = np.column_stack((scores, -curves.objective_costs[came[rung], rung - 1]))
            if len(came[rung]) - 1 not in first_of(points, max(1, len(came[rung]) // eta)):
                end = rung
                break
        finished += [unit] if end == curves.scores.shape[1] else []
        cost += float(curves.costs[unit, end - 1])
    return finished, cost


def area(points: np.ndarray, corner: Sequence[float]) -> float:
    """Dominated by (score, cost) pairs with a greater score and a smaller cost: cell by cell of the grid they span."""
    scores, costs = np.unique([*points[:, 0], corner[0]]), np.unique([*points[:, 1], corner[1]])
    total = 0.0
    for (low, high), (left, right) in itertools.product(itertools.pairwise(scores), itertools.pairwise(costs)):
        inside = low >= corner[0] and right <= corner[1]
        if inside and ((points[:, 0] >= high) & (points[:, 1] <= left)).any():
            total += (high - low) * (right - left)
    return total


@pytest.mark.parametrize(("costs", "minimize"), [(1, False), (1, True), (2, False)])
def test_one_worker_is_a_plain_loop_over_brute_force_fronts(costs: int, minimize: bool) -> None:
    curves = with_costs(costs=costs, minimize=minimize)
    finished, cost = [], []
    for draw in np.argsort(np.random.default_rng(0).random((4, 20)), axis=1):
        drawn = dataclasses.replace(
            curves, scores=curves.scores[draw], costs=curves.costs[draw], objective_costs=curves.objective_costs[draw]
        )
        ends, spent = plain_halving(drawn)
        finished.append(len(ends))
        cost.append(spent)
    found = searched(curves, 20, schedulers={"mo_halving": SECTIONS["mo_halving"]}, repeats=4, replace=False)
    row = found.searches.iloc[0]
    assert row["finished"] == np.mean(finished)
    assert row["cost"] == pytest.approx(np.mean(cost))
    assert len(set(finished)) > 1, "otherwise the draws are no test of the order"


def test_the_front_of_a_search_is_that_of_what_it_trained_to_the_end() -> None:
    curves = with_costs()
    assert curves.objective_costs is not None
    points = np.column_stack((curves.final, curves.objective_costs[:, -1, 0]))
    corner = (points[:, 0].min(), points[:, 1].max())
    found = searched(curves, 20, repeats=1, replace=False)
    draw = np.argsort(np.random.default_rng(0).random((1, 20)), axis=1)[0]
    drawn = dataclasses.replace(
        curves, scores=curves.scores[draw], costs=curves.costs[draw], objective_costs=curves.objective_costs[draw]
    )
    ends = draw[plain_halving(drawn)[0]]
    rows = found.fronts.set_index("scheduler")
    assert rows.loc["mo_halving", "expected_hypervolume"] == pytest.approx(area(points[ends], corner))
    assert rows.loc["fifo", "expected_hypervolume"] == pytest.approx(area(points, corner))
    assert rows.loc["fifo", "share_of_all"] == pytest.approx(1)
    assert rows.loc["fifo", "saved"] == pytest.approx(0)
    front = found.front.set_index("unit")
    signed = points * [1, -1]
    assert set(front.index) == {curves.units[k] for k in range(20) if not dominated(signed, k)}
    assert front["score"].is_monotonic_decreasing
    assert (front["fifo"] == 1).all()
    assert {unit for unit in front.index if front.loc[unit, "mo_halving"]} == set(front.index) & {
        curves.units[k] for k in ends
    }
    last = found.front_so_far.groupby("scheduler").last()
    assert last.loc["fifo", "expected_hypervolume"] == pytest.approx(area(points, corner))
    first = found.front_so_far[found.front_so_far["scheduler"] == "fifo"].iloc[0]
    lone = np.searchsorted(np.cumsum(curves.full_cost[draw]), first["budget"], side="right")
    assert first["expected_hypervolume"] == pytest.approx(area(points[draw[:lone]], corner) if lone else 0)


def test_seeds_that_a_rung_counts_are_compared_by_their_mean_costs() -> None:
    rows = [
        (f"c{c}", f"c{c}-{s}", part, 0.1 * part + 0.01 * c, float(part), 10.0 - c + (6 if c == 8 and s == 1 else 0))
        for c, s, part in itertools.product(range(9), range(2), range(1, 10))
    ]
    points = pd.DataFrame(rows, columns=["configuration", "run", "resource", "score", "cost", "objectives.size"])
    curves = recorded_curves(points, 9, objectives=["size"])
    assert curves.objective_costs is not None
    assert curves.objective_costs[8, 0, 0] == pytest.approx(5)
    section = {"mo_halving": {"name": "mo_halving", "seeds": [1, 2]}}
    found = searched(curves, 9, schedulers=section, replace=False)
    # With one seed c8 is the best in score and size; with both c7 is smaller, and neither dominates the other.
    assert found.front["unit"].tolist() == ["c8", "c7"]
    assert found.front["mo_halving"].tolist()[0] == 1
    assert found.front["mo_halving"].tolist()[1] < 1
    assert (found.searches["share_of_full"] < 1).all()


def test_what_a_recorded_sweep_says_of_objectives_is_what_its_scheduler_would_have_been_told() -> None:
    for metric in ({"name": "accuracy"}, {"name": "accuracy", "exit": "best"}, {"name": "accuracy", "exit": 2}):
        tables = bumpy(sweep(configurations=3, energy_j=2.0, metric=metric))
        epochs = tables.epochs[~tables.epochs["repeated"]].sort_values(["trial", "epoch"], kind="stable")
        found = objectives_at_reports(tables, COSTS, epochs)
        assert found["inference_flops"].nunique() > 3 or metric.get("exit") == 2
        reported = {trial: records(tables, trial) for trial in tables.trials["trial"]}
        for place, row in enumerate(epochs.itertuples()):
            told = costs_so_far(("score", *COSTS), reported[row.trial], tables.spec.metric, row.epoch)
            assert found.iloc[place].to_dict() == pytest.approx(dict(told.values))


def bumpy(tables):
    """Scores that rise and fall, the FLOPs of every exit other after every epoch, and a model of 1,000 weights."""
    rng = np.random.default_rng(0)
    epochs = tables.epochs.assign(score=rng.choice([0.5, 0.6, 0.7], len(tables.epochs))).sort_values(
        ["trial", "epoch"], kind="stable"
    )
    epochs["best_score"] = epochs.groupby("trial")["score"].cummax()
    exits = tables.exits.assign(
        dev_accuracy=rng.uniform(size=len(tables.exits)), inference_flops=rng.uniform(1e6, 1e9, len(tables.exits))
    )
    trials = tables.trials.assign(parameters=pd.array([1000] * len(tables.trials), dtype="Int64"))
    return dataclasses.replace(tables, epochs=epochs, exits=exits, trials=trials)


def records(tables, trial: str) -> dict[float, EpochRecord]:
    """The reports of a trial, back from its rows."""
    found = {}
    for row in tables.epochs[tables.epochs["trial"] == trial].to_dict("records"):
        rows = tables.exits[(tables.exits["trial"] == trial) & (tables.exits["epoch"] == row["epoch"])]
        exits = tuple(
            ExitScore(int(e["exit"]), int(e["layer"]), {"accuracy": e["dev_accuracy"]}, e["inference_flops"])
            for e in rows.to_dict("records")
        )
        costs = Costs(wall_s=row["wall_s"], cpu_s=0.0, train_flops=row["train_flops"], energy_j=row["energy_j"])
        found[row["epoch"]] = EpochRecord(
            row["epoch"], 1, 1, 1.0, 1e-3, row["score"], row["best_score"], exits, costs, parameters=1000
        )
    return found


def test_simulating_a_recorded_sweep_asks_the_scheduler_what_a_live_sweep_would() -> None:
    tables = bumpy(sweep(configurations=12, seeds=1, objectives=["score", "inference_flops"]))
    curves = read_curves(tables)
    assert curves.objectives == ("inference_flops",), "those of the sweep's own file"
    names = [str(name) for name in tables.trials["trial"]]
    live = build(
        SECTIONS["mo_halving"], max_epochs=9, groups={n: [n] for n in names}, mode="max",
        objectives=tables.spec.objectives,
    )  # fmt: skip
    ended = []
    for name in names:
        reported = records(tables, name)
        for epoch, record in sorted(reported.items()):
            told = costs_so_far(tables.spec.objectives, reported, tables.spec.metric, epoch)
            if epoch == 9:
                ended.append(name)
            elif live.decide(name, epoch, record.best_score, objectives=told).action.value == "stop":
                break
    assert plain_halving(curves)[0] == [names.index(name) for name in ended]
    assert 0 < len(ended) < 12


def test_schedulers_over_objectives_are_there_where_the_curves_have_some() -> None:
    findings = stopping_study(with_costs(), StoppingOptions(trials=(9,), repeats=10))
    assert "mo_halving" in set(findings["searches"]["scheduler"])
    assert len(findings["fronts"]) == len(findings["searches"])
    assert any("cost0" in note for note in findings.notes)
    alone = stopping_study(made(), StoppingOptions(trials=(9,), repeats=10))
    assert "fronts" not in alone.tables
    with pytest.raises(InputError, match=r"mo_halving.*inference_flops"):
        stopping_study(made(), StoppingOptions(schedulers=("mo_halving",), trials=(9,), repeats=2))


def test_an_objective_that_is_not_on_record_is_named_with_its_place() -> None:
    tables = sweep(configurations=3)
    with pytest.raises(InputError, match=r"energy_j.*54 of 54 reports \(c000-i0-o0, epoch 1\)"):
        read_curves(tables, CurveRequest(objectives=("energy_j",)))
    with pytest.raises(InputError, match=r"'inference_flop'.*'inference_flops'"):
        read_curves(tables, CurveRequest(objectives=("score", "inference_flop")))
    unasked = read_curves(sweep(configurations=3, objectives=["score", "energy_j"]))
    assert unasked.objectives == ()
    assert any("energy_j" in remark for remark in unasked.remarks)
    table = pd.DataFrame({"run": list("aabb"), "step": [1, 2, 1, 2], "score": 0.5, "size": [1.0, 1.0, np.nan, 2.0]})
    with pytest.raises(InputError, match=r"row 2: objectives: column 'size'"):
        read_curves(table, CurveRequest(objectives=("size",)))
