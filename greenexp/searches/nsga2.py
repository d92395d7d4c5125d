"""NSGA-II: generations of configurations, bred from the non-dominated ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from greenexp.records.places import FieldProblem
from greenexp.searches.base import Space
from greenexp.searches.sampled import OptunaSearch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True)
class Nsga2(OptunaSearch):
    """Crossed and mutated from the best of the generation before: a genetic algorithm, Optuna's NSGAIISampler.

    The first generation is drawn at random. Once `population` configurations of a generation were trained to their end,
    the parents of the next are the best `population` of this generation and its parents: first those that no other
    dominates in all objectives, then those dominated by these alone, and so on; of the last front that fits in part,
    those with the most room around them. A child takes each field from one of two parents, and each field is drawn
    anew with probability 1 / fields. A child that is an earlier configuration is bred again, up to ten times.
    Configurations stopped early, failed ones, and those of which an objective was not measured have no children. Those
    of earlier sweeps (`from`) are of the first generation. A space with conditions (`when`) is refused.

    The parents are worked out at every proposal: one that ends late, after its generation was full, counts too.

    samples: number of configurations; seed: of the draws
    population: configurations of a generation; less than `samples`

    Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".
    """

    noted: ClassVar[str | None] = "NSGAIISampler:"
    noted_earlier: ClassVar[Mapping[str, Any]] = MappingProxyType({"NSGAIISampler:generation": 0})

    population: Annotated[int, Field(ge=2)] = 16

    @property
    def drawn(self) -> float:
        """The first generation."""
        return self.population

    def sampler(self, seed: int, *, conditional: bool) -> BaseSampler:
        """See `OptunaSearch.sampler`."""
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(seed=seed, population_size=self.population)

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        yield from super().problems(space)
        if self.population >= self.samples:
            message = f"is not more than 'population' ({self.population}): all would be drawn at random"
            yield FieldProblem("search.samples", message)
