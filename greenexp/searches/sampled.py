"""Searches by a sampler of Optuna: the space as its distributions, the history as its trials.

Every proposal has a study and a sampler of its own, which is seeded by the search's seed and the number of the proposal
and has seen nothing but the history. So the history alone decides what comes next, and a sweep that is resumed comes to
the same proposals. A sampler that is kept would also depend on what it has drawn, and on fits that it has cached.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

import numpy as np
from pydantic import Field

from greenexp.extras import require
from greenexp.records.conditional_space import chosen, is_conditional
from greenexp.records.objectives import SCORE
from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice, Distribution, Int, LogUniform
from greenexp.records.values import Value, canonical_json
from greenexp.searches.base import (
    Mode,
    NoProposal,
    Observation,
    Proposal,
    ProposalState,
    SearchSettings,
    Space,
    places_in,
)

ATTEMPTS = 10
"""How often a proposal is drawn while it is a configuration that was proposed before; then it may be one."""

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial


@dataclass(frozen=True)
class OptunaSearch(SearchSettings):
    """The settings that all searches by a sampler of Optuna share; one derives from it and says which sampler.

    samples: number of configurations; seed: of the draws
    modules: what the sampler loads
    noted: what the sampler notes of a trial and looks up later, by the first letters of its names; else nothing
    noted_earlier: what it is to find of a configuration of an earlier sweep
    """

    planned: ClassVar[bool] = False
    several: ClassVar[bool] = True
    modules: ClassVar[tuple[str, ...]] = ("optuna",)
    noted: ClassVar[str | None] = None
    noted_earlier: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    samples: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)] = 0

    @abstractmethod
    def sampler(self, seed: int, *, conditional: bool) -> BaseSampler:
        """A new sampler; `seed`: of all that it draws; `conditional`: whether some configurations lack some fields."""

    def running(
        self, space: Space, directions: Mapping[str, Mode], earlier: tuple[Observation, ...] = ()
    ) -> SampledProposals:
        """The running search; see `SampledProposals`."""
        return SampledProposals(self, space, directions, earlier)

    def start(self, space: Space, mode: Mode) -> SampledProposals:
        """See `SearchSettings.start`."""
        return self.running(space, {SCORE: mode})

    def start_with(
        self, space: Space, directions: Mapping[str, Mode], earlier: Sequence[Observation]
    ) -> SampledProposals:
        """See `SearchSettings.start_with`."""
        known = tuple(dataclasses.replace(one, memory=self.noted_earlier) for one in earlier)
        return self.running(space, directions, known)

    def size(self, space: Space) -> int:
        """See `SearchSettings.size`."""
        return self.samples

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        if not space:
            yield FieldProblem("search", "a search that learns needs a 'space'")


@dataclass(frozen=True)
class SampledSearch(OptunaSearch):
    """The settings of searches that learn from their `startup`-th score on.

    startup: configurations are drawn at random until so many have a score; less than `samples`
    """

    startup: Annotated[int, Field(ge=1)] = 10

    @property
    def drawn(self) -> float:
        """The first `startup`: before as many have ended, all are drawn at random, whatever the rest does."""
        return self.startup

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        yield from super().problems(space)
        if self.startup >= self.samples:
            message = (
                f"is not more than 'startup' ({self.startup}): all would be drawn at random, and nothing be learnt"
            )
            yield FieldProblem("search.samples", message)


@dataclass(frozen=True)
class SampledProposals:
    """The running search; the history that it is asked with holds all it needs.

    directions: objective -> which of its values are better; with one, that of the score
    earlier: configurations of other sweeps, told before the history
    """

    settings: OptunaSearch
    space: Space
    directions: Mapping[str, Mode]
    earlier: tuple[Observation, ...] = ()
    _known: list[_Known] = field(default_factory=list, init=False, repr=False, compare=False)
    """What was made of the history that it was last asked with; what has changed since is made anew."""

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`. MissingExtraError if Optuna, or what its sampler loads, is not installed."""
        number = len(history)
        if number >= self.settings.samples:
            return NoProposal.DONE
        require(*self.settings.modules)
        known = self._made([*self.earlier, *history])
        tried = {one.identity for one in known[len(self.earlier) :]}
        with _quiet():
            for attempt in range(ATTEMPTS):
                sampler = self.settings.sampler(
                    seed_of(self.settings.seed, number, attempt), conditional=is_conditional(self.space)
                )
                values, notes = _drawn(sampler, self.space, self.directions, self._distributions, known)
                if _identity(values) not in tried:
                    break
        noted = self.settings.noted
        memory = {} if noted is None else {key: note for key, note in notes.items() if key.startswith(noted)}
        return Proposal(values, places_in(values), memory=memory)

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return distributions_of(self.space)

    def _made(self, history: Sequence[Observation]) -> Sequence[_Known]:
        """What Optuna is told of each configuration: of those of which nothing new is known, what it was before."""
        before = self._known[: len(history)]
        self._known[:] = [
            before[place]
            if place < len(before) and before[place].says(one)
            else _Known(
                one,
                repr(one.values),
                _identity(one.values),
                _trial(place, one, self.space, self._distributions, list(self.directions)),
            )
            for place, one in enumerate(history)
        ]
        return self._known

    def tell(self, observation: Observation) -> None:
        """All that ended stands in the history."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was made of one configuration. text: of its values as they are, as 1, 1.0 and True are equal."""

    observation: Observation
    text: str
    identity: str
    trial: FrozenTrial

    def says(self, one: Observation) -> bool:
        """Whether it is what would be made of `one`."""
        return self.observation == one and self.text == repr(one.values)


def seed_of(seed: int, number: int, attempt: int = 0) -> int:
    """The seed of the sampler of proposal `number`, below 2^32: child `number` of SeedSequence(seed).

    attempt: how often the proposal has been drawn before, each time a configuration that was there already; then a
    child of that child
    """
    key = (number, attempt) if attempt else (number,)
    return int(np.random.SeedSequence(entropy=seed, spawn_key=key).generate_state(1)[0])


def _identity(values: Mapping[str, Value]) -> str:
    return canonical_json({path: values[path] for path in sorted(values)})


def _drawn(
    sampler: BaseSampler,
    space: Space,
    directions: Mapping[str, Mode],
    distributions: Mapping[str, BaseDistribution],
    known: Sequence[_Known],
) -> tuple[dict[str, Value], dict[str, Any]]:
    """Searched path -> value of one more configuration, and what the sampler noted of it.

    Optuna is asked field by field, in an order that does not depend on that of the file.
    """
    import optuna

    from greenexp.searches.known_trials import KnownTrials

    study = optuna.create_study(
        storage=KnownTrials([one.trial for one in known]),
        sampler=sampler,
        directions=["maximize" if mode == "max" else "minimize" for mode in directions.values()],
    )
    if is_conditional(space):
        trial = study.ask()
        by_path = {path: space[path] for path in distributions}
        values = chosen(by_path, lambda path: _value(space[path], _suggested(trial, path, distributions[path])))
    else:
        trial = study.ask(dict(distributions))
        values = {path: _value(space[path], drawn) for path, drawn in trial.params.items()}
    notes = dict(study.get_trials(deepcopy=False)[trial.number].system_attrs)
    return {path: values[path] for path in space if path in values}, notes


def _suggested(trial: Trial, path: str, distribution: Any) -> Any:
    """Optuna's value of one field."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(path, distribution.choices)
    low, high, log = distribution.low, distribution.high, distribution.log
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(path, low, high, step=distribution.step, log=log)
    return trial.suggest_float(path, low, high, log=log)


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """Searched path -> Optuna's distribution, by path: what is drawn does not depend on the order of the file.

    A choice is over the places of its values: True and 1 are equal, and Optuna takes no lists. Where all values are
    numbers, and there are more than two, it is over their ranks, so that a sampler knows which ones are neighbours.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    from greenexp.searches.known_trials import Places

    conditional = is_conditional(space)  # then Optuna is asked for one field after the other, and makes its own
    found: dict[str, BaseDistribution] = {}
    for path, known in sorted(space.items()):
        if isinstance(known, Choice) and _is_ordered(known):
            found[path] = IntDistribution(0, len(known.values) - 1)
        elif isinstance(known, Choice):
            places = range(len(known.values))
            found[path] = CategoricalDistribution(places) if conditional else Places(places)
        elif isinstance(known, Int):
            found[path] = IntDistribution(known.low, known.low + (known.count() - 1) * known.step, step=known.step)
        else:
            found[path] = FloatDistribution(known.low, known.high, log=isinstance(known, LogUniform))
    return found


def _trial(
    number: int,
    observation: Observation,
    space: Space,
    distributions: Mapping[str, BaseDistribution],
    objectives: Sequence[str],
) -> FrozenTrial:
    """An observation as Optuna has it; one stopped early is a pruned trial, which has no full score.

    With several objectives a pruned trial has no score at all: Optuna ranks pruned trials by one alone.
    """
    from optuna.trial import FrozenTrial, TrialState

    numbers = [observation.score] if len(objectives) == 1 else [observation.objectives.get(o) for o in objectives]
    values = [number for number in numbers if number is not None and math.isfinite(number)]
    state, reached = TrialState.COMPLETE, {}
    if observation.progress is ProposalState.RUNNING:
        state = TrialState.RUNNING
    elif observation.progress is ProposalState.STOPPED:
        state = TrialState.PRUNED
        reached = {observation.epochs: values[0]} if len(objectives) == 1 and values else {}
    elif observation.progress is ProposalState.FAILED or len(values) < len(objectives):
        state = TrialState.FAIL
    params = {path: _place(space[path], value) for path, value in observation.values.items() if path in distributions}
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=None,
        values=values if state is TrialState.COMPLETE else None,
        datetime_start=None,
        datetime_complete=None,
        params=params,
        distributions={path: distributions[path] for path in params},
        user_attrs={},
        system_attrs=dict(observation.memory),
        intermediate_values=reached,
    )


def _is_ordered(choice: Choice) -> bool:
    """Whether all values are numbers, and more than two: of two, neither lies between."""
    numbers = (isinstance(value, int | float) and not isinstance(value, bool) for value in choice.values)
    return len(choice.values) > 2 and all(numbers)


def _in_order(choice: Choice) -> tuple[Value, ...]:
    """The values as Optuna counts them: numbers from the smallest to the largest, others as they are listed."""
    if not _is_ordered(choice):
        return choice.values
    return tuple(sorted(choice.values, key=lambda value: float(cast(float, value))))


def _place(known: Distribution, value: Any) -> Any:
    """Optuna's value of a journal's, which has lists where the space has tuples."""
    if isinstance(known, Choice):
        return [canonical_json(listed) for listed in _in_order(known)].index(canonical_json(value))
    return value


def _value(known: Distribution, drawn: Any) -> Value:
    """The value of a field that Optuna's stands for."""
    if isinstance(known, Choice):
        return _in_order(known)[int(drawn)]
    if isinstance(known, Int):
        return int(drawn)
    return min(max(float(drawn), known.low), known.high)  # rounding may step over an end


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's lines on stderr, and without its warnings that a feature may change."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
