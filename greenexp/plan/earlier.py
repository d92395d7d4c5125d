"""Which configurations of earlier sweeps fit into a space, and what a search is told of those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from greenexp.records.conditional_space import chosen
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.objectives import SCORE
from greenexp.records.search_space import Choice, Distribution, Int
from greenexp.records.values import Value, canonical_json, coordinate
from greenexp.searches.base import Observation, ProposalState, Space

STATES = {"complete": ProposalState.COMPLETE, "stopped": ProposalState.STOPPED, "failed": ProposalState.FAILED}
MOST_NAMED = 5
"""Configurations left out that a note names one by one."""


@dataclass(frozen=True)
class Earlier:
    """The configurations that fit, with their values as the space has them, and a sentence on each of the others."""

    told: tuple[EarlierConfiguration, ...] = ()
    left_out: tuple[tuple[EarlierConfiguration, str], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, source by source."""
        sources = dict.fromkeys(one.source for one in (*self.told, *(one for one, _ in self.left_out)))
        return tuple(note for source in sources for note in self._of(source))

    def _of(self, source: str) -> Iterable[str]:
        count = sum(one.source == source for one in self.told)
        yield f"search.from: {count} configuration{'s' * (count != 1)} of {source} are told to the search"
        others = [(one.configuration, why) for one, why in self.left_out if one.source == source]
        for name, why in others[:MOST_NAMED]:
            yield f"search.from: {name} of {source} is left out: {why}"
        if len(others) > MOST_NAMED:
            yield f"search.from: {len(others) - MOST_NAMED} more of {source} are left out"


def fitted(rows: Sequence[EarlierConfiguration], space: Space, objectives: Sequence[str]) -> Earlier:
    """The rows that fit into `space` and have all `objectives`, or failed."""
    told, left_out = [], []
    for row in rows:
        try:
            values = chosen(space, lambda path, row=row: _in_space(path, space[path], row.values))  # type: ignore[misc]
        except ValueError as error:
            left_out.append((row, str(error)))
            continue
        lacking = [name for name in objectives if row.objectives.get(name) is None and name != SCORE]
        if lacking and row.state == "complete" and len(objectives) > 1:
            left_out.append((row, f"{lacking[0]} is not on record as an objective"))
            continue
        told.append(
            EarlierConfiguration(
                row.source, row.configuration, values, row.state, row.score, row.epochs, dict(row.objectives)
            )
        )
    return Earlier(tuple(told), tuple(left_out))


def observations(told: Iterable[EarlierConfiguration]) -> tuple[Observation, ...]:
    """What a search is told."""
    return tuple(
        Observation(
            number=number,
            values=one.values,
            progress=STATES[one.state],
            score=one.score,
            ended=number,
            epochs=one.epochs,
            objectives=one.objectives,
        )
        for number, one in enumerate(told)
    )


def _in_space(path: str, known: Distribution, values: Mapping[str, Any]) -> Value:
    """The value as the distribution has it; ValueError says why it is not one."""
    if path not in values:
        raise ValueError(f"it has no {path}")
    value = values[path]
    if isinstance(known, Choice):
        return _listed(path, known, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{path} is {coordinate(value)!r}, not a number")
    low, high = known.ends()["low"], known.ends()["high"]
    if not float(low) <= value <= float(high):  # type: ignore[arg-type]
        raise ValueError(f"{path} is {value:g}, outside {low} to {high}")
    if not isinstance(known, Int):
        return float(value)
    if (value - known.low) % known.step:
        raise ValueError(f"{path} is {value:g}, not {known.low} and a whole number of steps of {known.step}")
    return int(value)


def _listed(path: str, known: Choice, value: Any) -> Value:
    """The listed value that is meant: the same one, else the one of which tables show this; numbers may be floats."""
    exact = canonical_json(value)
    same = [one for one in known.values if canonical_json(one) == exact]
    shown = [one for one in known.values if canonical_json(coordinate(one)) == exact]
    whole = [one for one in known.values if type(one) is int and type(value) is float and one == value]
    found = [*same, *shown, *whole]
    if found:
        return found[0]
    raise ValueError(f"{path} is {coordinate(value)!r}, not among {', '.join(map(canonical_json, known.values))}")
