"""One search for each value of a searched choice, so that what is compared is searched with equal budgets."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from greenexp.records.conditional_space import space_under
from greenexp.records.objectives import SCORE
from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice
from greenexp.records.values import Value, canonical_json
from greenexp.searches.base import (
    Mode,
    NoProposal,
    Observation,
    Proposal,
    ProposalState,
    RunningSearch,
    SearchSettings,
    Space,
    places_in,
)

PATH = "search.per"


@dataclass(frozen=True)
class SearchPerValue(SearchSettings):
    """A search of the same settings for each value of one choice, over the fields that are left under this value.

    The searches take turns: the next configuration is of the value with the fewest so far. Each draws from a seed of
    its own, which follows from the seed of the settings and from the value, so that another value changes no draw of
    the others, and each learns from its own configurations alone.

    With limits, each search ends when it has used one of them up, and the next configuration is of the value that has
    used the smallest part of its limits.

    inner: the settings of every search; path: the choice
    limits: budget axis -> what the configurations of each value may use of it
    """

    planned: ClassVar[bool] = False

    inner: SearchSettings
    path: str
    limits: Mapping[str, float] = field(default_factory=dict)

    def start(self, space: Space, mode: Mode) -> SearchesInTurn:
        """See `SearchSettings.start`."""
        return self.start_with(space, {SCORE: mode}, ())

    def start_with(
        self, space: Space, directions: Mapping[str, Mode], earlier: Sequence[Observation]
    ) -> SearchesInTurn:
        """See `SearchSettings.start_with`; each search is told of the earlier configurations of its value."""
        running = {}
        for value, left in self._parts(space):
            key = canonical_json(value)
            own = as_alone([one for one in earlier if canonical_json(one.values[self.path]) == key], self.path)
            running[key] = ValueSearch(value, seeded(self.inner, value).begin(left, directions, own))
        return SearchesInTurn(self.path, running, self.limits, learning=not self.inner.planned)

    def size(self, space: Space) -> int | None:
        """See `SearchSettings.size`; not known where limits end the searches."""
        if self.limits:
            return None
        sizes = [self.inner.size(left) for _, left in self._parts(space)]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        if self.inner.listed():
            yield FieldProblem(PATH, "is not possible with a search that lists its configurations")
        wrong = self._wrong_path(space)
        if wrong:
            yield FieldProblem(PATH, wrong)
        found: dict[str, FieldProblem] = {}
        for value, left in self._parts(space):
            for problem in self.inner.problems(left):
                said = f"{problem.message} (where {self.path} is {canonical_json(value)})"
                found.setdefault(problem.path, dataclasses.replace(problem, message=said))
        yield from found.values()

    def condition_problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.condition_problems`: conditions on the value itself are met by all searches."""
        yield from dict.fromkeys(
            problem for _, left in self._parts(space) for problem in self.inner.condition_problems(left)
        )

    def _wrong_path(self, space: Space) -> str:
        """Why there is no search for each value of the choice, or ""."""
        known = space.get(self.path)
        if known is None:
            choices = [path for path, distribution in space.items() if isinstance(distribution, Choice)]
            return f"'{self.path}' is not a field of 'space' (choices there: {', '.join(choices) or 'none'})"
        if not isinstance(known, Choice):
            return f"'{self.path}' is a range ({known.dist}): a search for each value needs a field with dist: choice"
        return f"'{self.path}' has conditions itself, so some configurations lack it" if known.when else ""

    def _parts(self, space: Space) -> list[tuple[Value, Space]]:
        """Each value of the choice with the space that is left under it; none where there is no such choice."""
        known = space.get(self.path)
        if not isinstance(known, Choice) or known.when:
            return []
        return [(value, space_under(space, self.path, value)) for value in known.values]


class PlannedPerValue(SearchPerValue):
    """The same of a search whose proposals are known before anything has run."""

    planned: ClassVar[bool] = True


class DrawsPerValue(PlannedPerValue):
    """The same of a search that draws independently: so do the searches of the values, each from its distribution."""

    independent: ClassVar[bool] = True


class DrawsWithinLimits(SearchPerValue):
    """The same where limits end the searches: how many draws there are is not known before."""

    independent: ClassVar[bool] = True


def search_per_value(inner: SearchSettings, path: str, limits: Mapping[str, float] | None = None) -> SearchPerValue:
    """`inner` for each value of the choice at `path`; limits: on each of these searches, by budget axis."""
    if limits:
        return (DrawsWithinLimits if inner.independent else SearchPerValue)(inner, path, limits)
    if not inner.planned:
        return SearchPerValue(inner, path)
    return DrawsPerValue(inner, path) if inner.independent else PlannedPerValue(inner, path)


def seeded(search: SearchSettings, value: Value) -> SearchSettings:
    """The settings with a seed (32 bits) that follows from theirs and the value, where they have one."""
    seed = getattr(search, "seed", None)
    if not isinstance(seed, int):
        return search
    words = np.frombuffer(hashlib.sha256(canonical_json(value).encode()).digest()[:8], dtype="<u4")
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=tuple(int(word) for word in words))
    return dataclasses.replace(search, seed=int(sequence.generate_state(1)[0]))


@dataclass
class ValueSearch:
    """The running search of one value, and the numbers of its proposals in the history of all."""

    value: Value
    search: RunningSearch
    numbers: list[int] = field(default_factory=list)


@dataclass
class SearchesInTurn:
    """The running searches.

    parts: value as JSON -> its search; limits: on each of them, by budget axis
    learning: whether they look at what they are told; proposals of others are the same whatever is known of them
    """

    path: str
    parts: dict[str, ValueSearch]
    limits: Mapping[str, float]
    learning: bool
    _counted: int = 0
    _ended: list[Observation] = field(default_factory=list)

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        self._count(history)
        self._pass_on(history)
        waits = False
        shares = {key: used_share([history[n] for n in part.numbers], self.limits) for key, part in self.parts.items()}
        for key in sorted(self.parts, key=lambda key: (shares[key].expected, len(self.parts[key].numbers))):
            part = self.parts[key]
            if shares[key].expected >= 1:
                waits = waits or shares[key].known < 1
                continue
            answer = part.search.ask(self._own(part, history))
            if isinstance(answer, Proposal):
                values = {self.path: part.value, **answer.values}
                places = {**answer.places, **places_in([self.path])}
                return Proposal(values, places, answer.place, answer.memory)
            waits = waits or answer is NoProposal.WAIT
        return NoProposal.WAIT if waits else NoProposal.DONE

    def tell(self, observation: Observation) -> None:
        """See `RunningSearch.tell`; passed on at the next ask, when the history says which search it belongs to."""
        self._ended.append(observation)

    def _count(self, history: Sequence[Observation]) -> None:
        for one in history[self._counted :]:
            self.parts[canonical_json(one.values[self.path])].numbers.append(one.number)
        self._counted = len(history)

    def _pass_on(self, history: Sequence[Observation]) -> None:
        for one in self._ended:
            part = self.parts[canonical_json(one.values[self.path])]
            own = self._own(part, history)[part.numbers.index(one.number)]
            part.search.tell(own)
        self._ended.clear()

    def _own(self, part: ValueSearch, history: Sequence[Observation]) -> list[Observation]:
        """What is known of the proposals of one search, as it would know them if it were alone."""
        own = [history[number] for number in part.numbers]
        return as_alone(own, self.path) if self.learning else own


@dataclass(frozen=True, slots=True)
class UsedShare:
    """How much of its limits one search has used, of the one it has used most of; from 1 on it has reached it.

    known: so far; expected: when the configurations that are running will have ended
    """

    known: float
    expected: float


def used_share(own: Sequence[Observation], limits: Mapping[str, float]) -> UsedShare:
    """What the configurations of one search have used of the limits, by budget axis; 0 without limits.

    A configuration that is running is expected to use as much as the mean of those that have ended, and not less than
    it has used already. A limit on what was not measured counts as reached, as nobody watches it.
    """
    shares = [UsedShare(0.0, 0.0)]
    for axis, limit in limits.items():
        known = {one.number: one.used.get(axis) for one in own}
        if any(use is None for use in known.values()):
            return UsedShare(math.inf, math.inf)
        spent = {number: float(use or 0.0) for number, use in known.items()}
        ended = [spent[one.number] for one in own if one.progress is not ProposalState.RUNNING]
        mean = math.fsum(ended) / len(ended) if ended else 0.0
        running = [spent[one.number] for one in own if one.progress is ProposalState.RUNNING]
        expected = math.fsum([*ended, *(max(use, mean) for use in running)])
        shares.append(UsedShare(math.fsum(spent.values()) / limit, expected / limit))
    return UsedShare(max(share.known for share in shares), max(share.expected for share in shares))


def as_alone(own: Sequence[Observation], path: str) -> list[Observation]:
    """Observations of one value of the choice at `path` as the search over what is left knows them."""
    ends = sorted(one.ended for one in own if one.ended is not None)
    return [
        dataclasses.replace(
            one,
            number=number,
            values={field: value for field, value in one.values.items() if field != path},
            ended=None if one.ended is None else ends.index(one.ended),
        )
        for number, one in enumerate(own)
    ]
