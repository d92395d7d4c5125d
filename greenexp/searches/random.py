"""Independent random draws."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from greenexp.records.conditional_space import chosen
from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice, Distribution, Int, between
from greenexp.records.values import Value
from greenexp.searches.base import (
    Mode,
    NoProposal,
    Observation,
    Proposal,
    SearchSettings,
    Space,
    places_in,
)


@dataclass(frozen=True)
class Random(SearchSettings):
    """Independent draws from `space`; more samples keep the earlier ones.

    The only search whose configurations are independent draws from one distribution, as the expected best over trials
    presumes.

    samples: number of configurations; seed: of the draws
    """

    independent: ClassVar[bool] = True
    even: ClassVar[bool] = True
    conditional: ClassVar[bool] = True

    samples: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)] = 0

    def start(self, space: Space, mode: Mode) -> RandomDraws:
        """See `SearchSettings.start`."""
        return RandomDraws(self, space)

    def size(self, space: Space) -> int:
        """See `SearchSettings.size`."""
        return self.samples

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        if not space and self.samples > 1:
            message = f"without a 'space' all {self.samples} samples would be the same: write 1"
            yield FieldProblem("search.samples", message)


@dataclass(frozen=True)
class RandomDraws:
    """The running search: sample number k is the k-th proposal, whatever is known of the others."""

    settings: Random
    space: Space

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        sample = len(history)
        if sample >= self.settings.samples:
            return NoProposal.DONE
        seed, space = self.settings.seed, self.space
        values = chosen(space, lambda path: draw(space[path], generator(seed, sample, path)))
        return Proposal(values, places_in(values))

    def tell(self, observation: Observation) -> None:
        """Independent draws learn nothing."""


def generator(seed: int, sample: int, path: str) -> np.random.Generator:
    """The generator of one coordinate of one sample: child (sample, name of the path) of SeedSequence(seed).

    So neither more samples, nor another field in the space, nor the order of the file change what was drawn.
    """
    words = np.frombuffer(hashlib.sha256(path.encode()).digest()[:8], dtype="<u4")
    key = (sample, *(int(word) for word in words))
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def draw(distribution: Distribution, rng: np.random.Generator) -> Value:
    """One value: choice and int equally likely; uniform low + u (high - low); loguniform the same in the logarithm."""
    if isinstance(distribution, Choice):
        values = list(distribution.ends().values())
        return values[int(rng.integers(len(values)))]
    if isinstance(distribution, Int):
        return distribution.low + int(rng.integers(distribution.count())) * distribution.step
    return between(distribution, float(rng.random()))
