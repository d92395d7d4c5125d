"""Searches over spaces in which some fields exist only under conditions."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from asking import asked, observed, one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.plan.searching import proposals
from greenexp.records.conditional_space import completed, holds, required, with_field
from greenexp.records.search_space import Choice, Distribution, LogUniform, Uniform
from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES
from greenexp.searches.base import Space
from greenexp.searches.grid import Grid, grid_values
from greenexp.searches.random import Random

METHODS: Space = {
    "temperature": LogUniform(dist="loguniform", low=1, high=8, when={"method": ["dbt", "leebert"]}),
    "method": Choice(dist="choice", values=("leebert", "dbt", "branchynet")),
    "mode": Choice(dist="choice", values=("one", "all"), when={"method": "leebert"}),
    "share": Uniform(dist="uniform", low=0, high=1, when={"mode": ["all"], "method": ["leebert", "dbt"]}),
    "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1),
}
"""A field before the one that it depends on, and one that depends on two, one of which has a condition itself."""
FIELDS = {
    ("leebert", "one"): {"temperature", "method", "mode", "rate"},
    ("leebert", "all"): {"temperature", "method", "mode", "share", "rate"},
    ("dbt", None): {"temperature", "method", "rate"},
    ("branchynet", None): {"method", "rate"},
}


def drawn(space: Space, samples: int = 40) -> list[dict[str, Any]]:
    return [dict(proposal.values) for proposal in proposals(Random(samples), space, {"score": "max"})]


def test_a_draw_has_the_fields_whose_conditions_hold_with_the_values_of_a_space_without_conditions() -> None:
    free = {path: known.model_copy(update={"when": {}}) for path, known in METHODS.items()}
    for values, all_values in zip(drawn(METHODS), drawn(free), strict=True):
        assert set(values) == FIELDS[values["method"], values.get("mode")]
        assert values.items() <= all_values.items()
    assert {values["method"] for values in drawn(METHODS)} == {"leebert", "dbt", "branchynet"}


def test_a_proposal_names_the_places_of_its_fields_alone() -> None:
    for proposal in proposals(Random(8), METHODS, {"score": "max"}):
        assert proposal.places == {path: f"space.{path}" for path in proposal.values}


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, Choice]:
    """Up to 5 choices, in any order, each with conditions on some of those that were made before it."""
    found: dict[str, Choice] = {}
    for name in draw(st.permutations("abcde"))[: draw(st.integers(1, 5))]:
        values = tuple(range(draw(st.integers(1, 3))))
        parents = draw(st.lists(st.sampled_from(sorted(found)), max_size=2, unique=True)) if found else []
        when = {p: draw(st.lists(st.sampled_from(found[p].values), min_size=1, unique=True)) for p in parents}
        found[name] = Choice(dist="choice", values=values, when=when)
    return {name: found[name] for name in draw(st.permutations(sorted(found)))}


def all_combinations(space: dict[str, Choice]) -> set[str]:
    """By brute force: every combination of all fields, without those whose conditions do not hold."""
    found = set()
    for combination in itertools.product(*(known.values for known in space.values())):
        values = dict(zip(space, combination, strict=True))
        left = None
        while left != (left := dict(values)):  # a field that is taken out may take others with it
            values = {path: value for path, value in values.items() if holds(space[path], values)}
        found.add(canonical_json(values))
    return found


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_a_grid_lists_every_combination_once(space: dict[str, Choice]) -> None:
    listed = [canonical_json(dict(proposal.values)) for proposal in proposals(Grid(), space, {"score": "max"})]
    assert len(set(listed)) == len(listed) == Grid().size(space)
    assert set(listed) == all_combinations(space)


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_a_configuration_is_found_for_each_value_that_occurs_in_one(space: dict[str, Choice]) -> None:
    possible = all_combinations(space)
    assert canonical_json(completed(space, {})) in possible
    for path, known in space.items():
        for value in known.values:
            occurs = any(f'"{path}":{value}' in text for text in possible)
            found = with_field(space, path, value)
            if not occurs:
                assert found is None
                assert not all(required(space, path).values())
            else:
                assert found is not None
                assert found[path] == value
                assert canonical_json(found) in possible


def test_a_large_grid_is_counted_and_not_listed() -> None:
    many: dict[str, Distribution] = {
        f"f{n}": Choice(dist="choice", values=tuple(range(10)), when={f"f{n - 1}": [0, 1]} if n else {})
        for n in range(60)
    }
    size = Grid().size(many)
    expected = 1
    for _ in range(60):  # under the last field there is nothing; above it, 2 of 10 values go on
        expected = 8 + 2 * expected if expected > 1 else 10
    assert size == expected
    assert len(grid_values(many["f0"])) == 10


def by_method(values: Any) -> float:
    """Best: leebert with all of its teachers, at a temperature of 4 and a share of 1."""
    score = {"leebert": 0.5, "dbt": 0.3, "branchynet": 0.4}[values["method"]]
    score += values.get("share", 0.0) * 0.3
    return float(score - abs(values.get("temperature", 4.0) - 4.0) / 20 - abs(values["rate"] - 0.01))


def test_tpe_killed_at_every_ask_proposes_the_same_and_learns_the_branch() -> None:
    history = one_by_one("tpe", 40, METHODS, by_method)
    for values in (one.values for one in history):
        assert set(values) == FIELDS[values["method"], values.get("mode")]
    for number in range(0, 40, 3):
        again = asked("tpe", history[:number], METHODS, samples=40)
        assert canonical_json(dict(again.values)) == canonical_json(dict(history[number].values))
    late = [one.values["method"] for one in history[20:]]
    assert late.count("leebert") > 12


def test_the_order_of_a_conditional_space_does_not_change_what_tpe_proposes() -> None:
    history = one_by_one("tpe", 14, METHODS, by_method)
    turned = dict(reversed(METHODS.items()))
    assert asked("tpe", history, turned, samples=20).values == asked("tpe", history, METHODS, samples=20).values


def test_tpe_takes_a_branch_that_nothing_is_known_of() -> None:
    history = [observed(n, {"method": "branchynet", "rate": 0.001 * (n + 1)}, 0.1 * n) for n in range(12)]
    for number in range(12, 30):
        values = asked("tpe", history, METHODS, samples=40, startup=5).values
        history.append(observed(number, values, by_method(values)))
    assert {one.values["method"] for one in history} == {"leebert", "dbt", "branchynet"}


@pytest.mark.parametrize("name", ["random", "grid", "tpe", "gp", "nsga2"])
def test_a_search_that_needs_fixed_fields_says_so_where_the_condition_stands(name: str) -> None:
    options = {} if name == "grid" else {"samples": 20}
    found = [problem.path for problem in SEARCHES[name](**options).condition_problems(METHODS)]
    conditions = [f"space.{path}.when" for path, known in METHODS.items() if known.when]
    assert found == (conditions if name in {"gp", "nsga2"} else [])
