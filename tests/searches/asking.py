"""Searches that learn, asked without a sweep: a space of every distribution, and scores by a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from greenexp.records.search_space import Choice, Int, LogUniform, Uniform
from greenexp.searches import SEARCHES, Observation, ProposalState
from greenexp.searches.base import Mode, Proposal, Space

RATE: Space = {"rate": LogUniform(dist="loguniform", low=1e-5, high=1e-1)}
MIXED: Space = {
    "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1),
    "dropout": Uniform(dist="uniform", low=0.0, high=0.5),
    "layers": Int(dist="int", low=3, high=20, step=4),
    "kind": Choice(dist="choice", values=(True, 1, 1.0, [1, 2], [1.0, 2], None, "x")),
    "only": Choice(dist="choice", values=("one",)),
}
"""Values that are equal and not the same, a list, a range whose end is not reached, and a choice that is none."""


def by_rate(values: Mapping[str, Any]) -> float:
    """Best at 3e-3."""
    return 1.0 - abs(math.log10(values["rate"] / 3e-3))


def by_all(values: Mapping[str, Any]) -> float:
    """Best at 3e-3, without dropout, with 19 layers and the list [1, 2]."""
    is_list = repr(values["kind"]) in {"(1, 2)", "[1, 2]"}
    return by_rate(values) - values["dropout"] + values["layers"] / 40 + 0.5 * is_list


def asked(name: str, history: Sequence[Observation], space: Space, mode: Mode = "max", **options: Any) -> Any:
    """The next proposal of a search that has been built anew and told nothing but the history."""
    return SEARCHES[name](**options).start(space, mode).ask(history)


def observed(number: int, values: Mapping[str, Any], score: float) -> Observation:
    return Observation(number, values, ProposalState.COMPLETE, score, number, 9)


def one_by_one(
    name: str, asks: int, space: Space, score: Callable[[Mapping[str, Any]], float], mode: Mode = "max", **options: Any
) -> list[Observation]:
    """The history after so many asks of one running search, each of which has ended before the next."""
    running = SEARCHES[name](samples=asks, **options).start(space, mode)
    history: list[Observation] = []
    for number in range(asks):
        proposal = running.ask(history)
        assert isinstance(proposal, Proposal)
        history.append(observed(number, proposal.values, score(proposal.values)))
    return history
