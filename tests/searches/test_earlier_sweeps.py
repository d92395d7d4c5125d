"""Searches that are told of earlier sweeps: what fits, what they make of it, and that the journal keeps it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from growing_sweeps import TEXT, by_learning_rate
from stand_ins import Workers

from greenexp.analysis.search.earlier import earlier_configurations
from greenexp.api.earlier import earlier_of
from greenexp.api.planning import plan_of
from greenexp.errors import InputError, SweepFileError
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.plan import Plan
from greenexp.plan.earlier import fitted, observations
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.search_space import Choice, Int, LogUniform
from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, Observation
from greenexp.searches.base import Proposal, Space
from greenexp.searches.per_value import search_per_value
from greenexp.spec import Document, load_sweep, resolved
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.opening import open_sweep

SPACE: Space = {
    "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1),
    "layers": Int(dist="int", low=2, high=8, step=2),
    "method": Choice(dist="choice", values=("dbt", "branchynet", None)),
    "exits": Choice(dist="choice", values=((1, 2), 3, True)),
    "temperature": LogUniform(dist="loguniform", low=1, high=8, when={"method": ["dbt"]}),
}
WHOLE: dict[str, Any] = {"rate": 1e-3, "layers": 4, "method": "dbt", "exits": [1, 2], "temperature": 2}


def row(name: str = "c000", score: float | None = 0.5, **changes: Any) -> EarlierConfiguration:
    """A configuration that fits, with changes; a field that is `...` is not there."""
    values = {path: value for path, value in {**WHOLE, **changes}.items() if value is not ...}
    return EarlierConfiguration("out/first", name, values, "complete", score, 3)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": 0.5}, "rate"),
        ({"rate": "x"}, "rate"),
        ({"rate": True}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"layers": 3}, "layers"),
        ({"layers": 10}, "layers"),
        ({"method": "pabee"}, "method"),
        ({"exits": [1, 3]}, "exits"),
        ({"exits": False}, "exits"),
        ({"temperature": ...}, "temperature"),
        ({"temperature": 9}, "temperature"),
        ({"layers": ...}, "layers"),
    ],
)
def test_what_does_not_fit_is_left_out_and_its_field_is_named(changes: dict[str, Any], field: str) -> None:
    found = fitted([row(**changes), row("c001")], SPACE, ["score"])
    assert [one.configuration for one in found.told] == ["c001"]
    ((left, why),) = found.left_out
    assert left.configuration == "c000"
    assert field in why
    assert any("c000" in note and field in note for note in found.notes)


def test_values_are_told_as_the_space_has_them() -> None:
    rows = [
        row(rate=0.01, layers=4.0, exits="[1, 2]"),
        row(method=None, temperature=..., exits=3.0),
        row(method="branchynet", temperature=5.0, exits=True),
    ]
    told = [dict(one.values) for one in fitted(rows, SPACE, ["score"]).told]
    assert told == [
        {"rate": 0.01, "layers": 4, "method": "dbt", "exits": (1, 2), "temperature": 2.0},
        {"rate": 1e-3, "layers": 4, "method": None, "exits": 3},
        {"rate": 1e-3, "layers": 4, "method": "branchynet", "exits": True},
    ]
    assert [type(value) for value in told[0].values()] == [float, int, str, tuple, float]


def test_an_objective_that_was_not_recorded_leaves_a_configuration_out() -> None:
    known = dataclasses.replace(row("c001"), objectives={"score": 0.5, "wall_s": 3.0})
    found = fitted([row(), known], SPACE, ["score", "wall_s"])
    assert [one.configuration for one in found.told] == ["c001"]


def earlier_of_rates(count: int, best: float) -> list[EarlierConfiguration]:
    rng = np.random.default_rng(0)
    rates = 10 ** rng.uniform(-4, -1, count)
    return [row(f"c{n:03d}", 1 - abs(math.log10(rate / best)), rate=float(rate)) for n, rate in enumerate(rates)]


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2"])
def test_a_search_begins_where_earlier_ones_were_good(name: str) -> None:
    space = {path: SPACE[path] for path in ("rate", "layers", "exits")}
    told = observations(fitted(earlier_of_rates(30, 3e-3), space, ["score"]).told)
    options = {"population": 8} if name == "nsga2" else {"startup": 8}
    search = SEARCHES[name](samples=20, **options)
    errors = {}
    for earlier in ((), told):
        running = search.begin(space, {"score": "max"}, earlier)
        history: list[Observation] = []
        for number in range(6):
            proposal = running.ask(history)
            assert isinstance(proposal, Proposal)
            history.append(Observation(number, proposal.values, memory=proposal.memory))
        errors[bool(earlier)] = np.median([abs(math.log10(one.values["rate"] / 3e-3)) for one in history])  # type: ignore[operator]
    assert errors[True] < errors[False]
    if name == "nsga2":
        assert history[0].memory["NSGAIISampler:generation"] == 1


def test_each_search_of_a_value_is_told_of_its_own() -> None:
    space: Space = {"rate": SPACE["rate"], "method": Choice(dist="choice", values=("dbt", "branchynet"))}
    rows = [dataclasses.replace(one, values={**one.values, "method": "dbt"}) for one in earlier_of_rates(20, 3e-3)]
    told = observations(fitted(rows, space, ["score"]).told)
    search = search_per_value(SEARCHES["tpe"](samples=12, startup=8), "method")
    first = {}
    for earlier in ((), told):
        running = search.begin(space, {"score": "max"}, earlier)
        dbt = running.ask([])
        assert isinstance(dbt, Proposal)
        other = running.ask([Observation(0, dbt.values)])
        assert isinstance(other, Proposal)
        first[bool(earlier)] = [dbt.values["rate"], other.values["rate"]]
    assert first[True][0] != first[False][0]
    assert first[True][1] == first[False][1]


TPE = "search={name: tpe, samples: 7, startup: 3}"


def document(*overrides: str) -> Document:
    return load_sweep(TEXT, overrides, source="f")


def run(folder: Path, *overrides: str, reports: int | None = None, resume: bool = False) -> tuple[Plan, SweepState]:
    """One session with stand-ins for the workers."""
    plan = plan_of(document(*overrides), folder if resume else None)
    sweep = open_sweep(plan, resolved(plan.spec), folder)
    conductor = Conductor(sweep.journal, sweep.state, sweep.scheduler, limits={}, workers=2, search=sweep.search)
    try:
        conductor.begin({}, sweep.missing)
        Workers(conductor, score=by_learning_rate, fail={"c001-i0-o0": 1}).play(reports)
        if reports is None:
            conductor.close()
    finally:
        sweep.journal.close()
    return plan, sweep.state


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that has ended, with a failed configuration and some that were stopped."""
    folder = tmp_path_factory.mktemp("first")
    run(folder, "search={name: random, samples: 8}")
    return folder


def values_of(state: SweepState) -> list[str]:
    return [canonical_json(dict(one.values)) for one in state.proposals]


def test_a_sweep_is_told_of_another_and_keeps_what_it_was_told(tmp_path: Path, first: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / NAME).write_bytes((first / NAME).read_bytes())
    search = f"search={{name: tpe, samples: 7, startup: 3, from: ['{source}']}}"
    plan, whole = run(tmp_path / "whole", search)
    assert plan.growth is not None
    assert {one.state for one in plan.growth.earlier} == {"complete", "stopped", "failed"}
    assert len(plan.growth.earlier) == 8
    assert whole.earlier is not None
    assert len(whole.earlier) == 8
    assert len(whole.proposals) == 7, "they are no proposals of this sweep"
    assert len(read_tables(tmp_path / "whole").trials) == 14, "nor trials"
    assert values_of(whole) != values_of(run(tmp_path / "cold", TPE)[1])

    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    (source / NAME).unlink()  # the source is gone
    for cut in range(3, len(lines), len(lines) // 5):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:7])
        assert values_of(run(folder, search, resume=True)[1]) == values_of(whole), cut


def test_sources_may_not_change_once_the_search_was_told(tmp_path: Path, first: Path) -> None:
    search = f"search={{name: tpe, samples: 7, startup: 3, from: ['{first}']}}"
    run(tmp_path, search, reports=12)
    with pytest.raises(InputError, match=r"search\.from"):
        run(tmp_path, TPE, resume=True)


def test_a_driver_that_died_before_it_wrote_what_was_told_reads_it_again(tmp_path: Path, first: Path) -> None:
    search = f"search={{name: tpe, samples: 7, startup: 3, from: ['{first}']}}"
    whole = run(tmp_path / "whole", search)[1]
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    assert b'"kind":"earlier"' in lines[1]
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / NAME).write_bytes(lines[0] + lines[1][:30])
    assert values_of(run(tmp_path / "cut", search, resume=True)[1]) == values_of(whole)


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        (["search={name: tpe, samples: 7, startup: 3, from: [nowhere]}"], "search.from.0"),
        (["search={name: tpe, samples: 7, startup: 3, from: ['{first}']}", "metric.exit=last"], "search.from.0"),
        (["search={name: random, samples: 7, from: ['{first}']}"], "search.from"),
        (["search={name: tpe, samples: 7, startup: 3, from: somewhere}"], "search.from"),
        (["search={name: tpe, samples: 7, startup: 3, from: ['']}"], "search.from.0"),
    ],
)
def test_a_source_that_cannot_be_used_is_named_at_its_place(first: Path, overrides: list[str], path: str) -> None:
    with pytest.raises(SweepFileError) as error:
        plan_of(document(*(text.replace("{first}", str(first)) for text in overrides)))
    assert [problem.path for problem in error.value.problems] == [path]


def test_what_was_set_otherwise_is_a_note(first: Path) -> None:
    search = f"search={{name: tpe, samples: 7, startup: 3, from: ['{first}']}}"
    found = earlier_of(document(search, "training.max_length=16", "task.train=128"))
    assert len(found.configurations) == 8
    (note,) = found.notes
    assert "training.max_length" in note
    assert "task.train" in note
    assert not earlier_of(document(search)).notes


def test_a_field_that_was_not_searched_has_the_value_of_its_file(first: Path) -> None:
    tables = read_tables(first)
    paths = ["training.learning_rate", "training.epochs", "backbone.layers", "method.unheard_of"]
    rows = earlier_configurations(tables, "there", paths)
    assert len(rows) == 8
    for one in rows:
        assert set(one.values) == set(paths[:3])
        assert (one.values["training.epochs"], one.values["backbone.layers"]) == (9, 2)
    failed = [one for one in rows if one.state == "failed"]
    assert [one.score for one in failed] == [None]
    assert all(one.epochs < 9 for one in rows if one.state == "stopped")
    assert EarlierConfiguration.from_json(rows[0].to_json()) == rows[0]
    assert SweepState(read_events(first / NAME)).earlier is None
