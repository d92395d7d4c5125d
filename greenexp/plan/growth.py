"""From the values a search proposes to a configuration: of a plan at once, or of one that grows while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from greenexp.errors import InputError
from greenexp.plan.configurations import resolve
from greenexp.plan.earlier import observations
from greenexp.plan.plugins import Plugins
from greenexp.records.conditional_space import is_conditional, with_field
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.search_space import Choice
from greenexp.records.settings import Settings
from greenexp.records.values import Scalar, Value, coordinate
from greenexp.searches.base import Mode, RunningSearch, SearchSettings, Space
from greenexp.spec.paths import value_at

EPOCHS = "training.epochs"


@dataclass(frozen=True, slots=True)
class Configuration:
    """One point of the search.

    name: `c003`; searched, settings: as in TrialSpec; place: dotted path of its origin in the sweep file
    """

    name: str
    searched: Mapping[str, Scalar]
    settings: Settings
    place: str


def configuration_name(number: int) -> str:
    """`c003`."""
    return f"c{number:03d}"


def searched_values(settings: Settings, paths: Iterable[str]) -> dict[str, Scalar]:
    """Searched path -> its value in the settings, as a table shows it."""
    plain = settings.to_json()
    return {path: coordinate(value_at(plain, path)) for path in paths}


@dataclass(frozen=True)
class Growth:
    """How the configurations of a sweep are made whose search proposes them while it runs.

    search, space: what is searched and how; directions: objective -> which of its values are better
    base: the sections of the sweep file that the values change
    earlier: configurations of earlier sweeps that the search is told of
    """

    search: SearchSettings
    space: Space
    directions: Mapping[str, Mode]
    base: Mapping[str, Any]
    plugins: Plugins
    earlier: tuple[EarlierConfiguration, ...] = ()

    def start(self) -> RunningSearch:
        """The running search, which has been told nothing but what earlier sweeps found."""
        return self.search.begin(self.space, self.directions, observations(self.earlier))

    @property
    def size(self) -> int | None:
        """The number of configurations it proposes in all; None if that is not known before it ends."""
        return self.search.size(self.space)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The numbers of epochs that a trial may be given, where they are searched."""
        if EPOCHS not in self.space:
            return ()
        ends = [*self.space[EPOCHS].ends().values()]
        if self.space[EPOCHS].when:
            ends.append(value_at(self.base, EPOCHS))
        return tuple(value for value in ends if isinstance(value, int))

    def configuration(self, number: int, values: Mapping[str, Value]) -> Configuration:
        """Configuration `number` (from 0). InputError if the values do not fit."""
        resolved = resolve(self.base, values, self.plugins)
        if resolved.settings is None:
            wrong = "; ".join(f"{problem.path} {problem.message}" for problem in resolved.problems)
            shown = ", ".join(f"{path}={coordinate(value)}" for path, value in values.items())
            raise InputError(f"the search proposed {shown}, which cannot be run: {wrong}")
        paths = [*(path for path in self.space if path in values), *(path for path in values if path not in self.space)]
        searched = searched_values(resolved.settings, paths)
        return Configuration(configuration_name(number), searched, resolved.settings, "space")

    def possible_settings(self, first: Mapping[str, Scalar]) -> Iterator[Settings]:
        """`first` with each value of each choice of the space, one at a time; what does not fit is left out.

        A choice with conditions is tried where these hold.
        """
        for path, distribution in self.space.items():
            for value in distribution.ends().values() if isinstance(distribution, Choice) else ():
                settings = resolve(self.base, self._with_choice(first, path, value), self.plugins).settings
                if settings is not None:
                    yield settings

    def _with_choice(self, first: Mapping[str, Scalar], path: str, value: Value) -> Mapping[str, Value]:
        """The searched values of a configuration with one value changed, and others where conditions ask for that."""
        if not is_conditional(self.space):
            return {**first, path: value}
        return with_field(self.space, path, value) or first
