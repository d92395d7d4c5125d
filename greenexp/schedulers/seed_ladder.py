"""Which seeds of a configuration count at a rung: all, more at each rung, or as many as the rung itself says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

from greenexp.errors import FieldError, InputError
from greenexp.records.progress import Epochs
from greenexp.schedulers.brackets import Bracket

RungSeeds = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
"""The field `seeds` of a scheduler: how many seeds of a configuration count at the first rung, the second, ..."""


class SeedLadder(Protocol):
    """A unit scheduler's rungs as pairs (epoch, seeds): a configuration is judged by its first `seeds` there."""

    @property
    def holds(self) -> bool:
        """Whether seeds are held back until their configuration has come to a rung that counts them."""

    def epoch(self, rung: Epochs) -> Epochs:
        """After how many epochs the rung judges."""

    def seeds(self, rung: Epochs | None) -> int | None:
        """How many seeds count at the rung, or beyond the last one (None); None: all that there are."""

    def planned(self, brackets: Iterable[Bracket]) -> tuple[Bracket, ...]:
        """The unit scheduler's brackets with the seeds that count at their rungs."""


@dataclass(frozen=True, slots=True)
class AllSeeds:
    """Every rung counts all seeds."""

    holds = False

    def epoch(self, rung: Epochs) -> Epochs:
        """The rung itself."""
        return rung

    def seeds(self, rung: Epochs | None) -> None:  # noqa: ARG002 - the protocol's argument
        """All."""
        return

    def planned(self, brackets: Iterable[Bracket]) -> tuple[Bracket, ...]:
        """As they are."""
        return tuple(brackets)


@dataclass(frozen=True, slots=True)
class GrowingSeeds:
    """Rung k of the longest ladder counts `counts[k]` seeds; a bracket that begins at a later rung, as many as that.

    epochs: the rungs of all brackets, rising; counts: one more than rungs, the last for what lies beyond them
    """

    epochs: tuple[Epochs, ...]
    counts: tuple[int, ...]
    holds = True

    def epoch(self, rung: Epochs) -> Epochs:
        """The rung itself."""
        return rung

    def seeds(self, rung: Epochs | None) -> int:
        """See `SeedLadder.seeds`."""
        return self.counts[-1 if rung is None else bisect_left(self.epochs, rung)]

    def planned(self, brackets: Iterable[Bracket]) -> tuple[Bracket, ...]:
        """See `SeedLadder.planned`."""
        return tuple(
            bracket.with_seeds(map(self.seeds, (rung.epoch for rung in bracket.rungs)), self.counts[-1])
            for bracket in brackets
        )


@dataclass(frozen=True, slots=True)
class RacedSeeds:
    """The unit scheduler's rungs count seeds, and every one of them judges after the last epoch."""

    max_epochs: int
    total: int
    holds = True

    def epoch(self, rung: Epochs) -> Epochs:  # noqa: ARG002 - the protocol's argument
        """The last."""
        return self.max_epochs

    def seeds(self, rung: Epochs | None) -> int:
        """The rung itself."""
        return self.total if rung is None else int(rung)

    def planned(self, brackets: Iterable[Bracket]) -> tuple[Bracket, ...]:
        """See `SeedLadder.planned`."""
        return tuple(
            bracket.with_seeds((int(rung.epoch) for rung in bracket.rungs), self.total, at=self.max_epochs)
            for bracket in brackets
        )


def seeds_of_each(name: str, groups: Mapping[str, Collection[str]]) -> int:
    """How many seeds every configuration has. InputError if they differ."""
    numbers = {len(trials) for trials in groups.values()}
    if len(numbers) > 1:
        raise InputError(
            f"scheduler {name}: all configurations must have the same number of seeds, got {sorted(numbers)}"
        )
    return numbers.pop()


def growing_seeds(seeds: Sequence[int], total: int, brackets: Iterable[Bracket]) -> SeedLadder:
    """The ladder of a scheduler's field `seeds` over its own brackets; total: seeds of a configuration.

    Where the first rung counts all, so do the others: `AllSeeds`.

    Raises FieldError if the numbers fall, if some are for rungs that there are not, or if they do not end with `total`:
    those of more seeds could not be, and further seeds would never train.
    """
    epochs = tuple(sorted({rung.epoch for bracket in brackets for rung in bracket.rungs}))
    listed = list(seeds)
    if sorted(listed) != listed:
        raise FieldError("seeds", f"the number of seeds must not fall from one rung to the next, got {listed}")
    if len(listed) > len(epochs) + 1:
        raise FieldError(
            "seeds",
            f"{listed} has {len(listed)} entries, and there are {len(epochs)} rungs (epoch "
            f"{', '.join(f'{epoch:g}' for epoch in epochs)}) and the end: give at most {len(epochs) + 1}",
        )
    if listed[-1] != total:
        raise FieldError(
            "seeds",
            f"{listed} must end with the number of seeds of a configuration, which is {total} "
            "(seeds.initialisation, seeds.order, seeds.folds)",
        )
    if listed[0] == total:
        return AllSeeds()
    padded = listed + [listed[-1]] * (len(epochs) + 1 - len(listed))
    return GrowingSeeds(epochs, tuple(padded))
