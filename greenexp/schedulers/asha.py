"""Asynchronous successive halving, the stopping variant."""

from __future__ import annotations

import math
import random
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import NextRung, UnitVerdict, cannot_act
from greenexp.schedulers.brackets import Bracket, Rung
from greenexp.schedulers.resource import FirstRung, Resource, RungsOnAnAxis
from greenexp.schedulers.rungs import check_halving, too_few, upward_rungs
from greenexp.schedulers.seed_ladder import RungSeeds

_DRAWS = 40_000
"""Values that a simulated plan draws: under 0.1 s for thousands of units."""


@dataclass(frozen=True, slots=True)
class Asha(RungsOnAnAxis):
    """Asynchronous successive halving, the *stopping* variant: a rung decides at once, nobody waits for others.

    reduction_factor: eta; a unit is stopped if its value is below the (1 - 1/eta) quantile (linear interpolation) of
        the values seen at this rung before it. The first at a rung goes on.
    resource: what the rungs count: epochs, or what a trial has used: train_flops, energy_j or wall_s
    grace_period: r, epochs before the first rung (null: 1); rungs lie at r x eta^k < training.epochs, each at the
        first report at or after it. On another resource r is a quantity of it, and a trial comes to r x eta^k at its
        first report that has used as much
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration
    seeds: how many seeds of a configuration count at the first rung, the second, ...; the last number, which is that of
        all its seeds, counts from then to the end. Seeds whose turn has not come are not started. null: all at every
        rung; brackets that skip rungs begin with the seeds of their first one
    brackets: bracket b skips the first b rungs; units are dealt to the brackets in equal shares
    bracket_seed: draws the order in which every `brackets` consecutive units are dealt

    Early arrivals are judged against few values, so more than n/eta go on, and who goes on depends on the order of
    arrival. Cutoffs are interpolated, so decisions are kept by increasing linear transforms of the metric, not by all
    increasing ones. A unit with a failed seed counts as below every number, at the rung it would have reached next. The
    plan's counts are expectations if the order at one rung persists at the next; if it changes, fewer go on later.

    Source: Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht, Talwalkar 2020, A system for massively parallel
    hyperparameter tuning (MLSys). Their algorithm 2 *promotes*: it pauses every trial at a rung and later resumes the
    best 1/eta (`asha_promotion`). This is the stopping variant, which needs no checkpoints: what is stopped never comes
    back.
    """

    title: ClassVar[str] = "ASHA"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = False

    reduction_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    resource: Resource = EPOCHS
    grace_period: FirstRung | None = None
    per_trial: bool = False
    seeds: RungSeeds | None = None
    brackets: Annotated[int, Field(ge=1)] = 1
    bracket_seed: Annotated[int, Field(ge=0)] = 0

    def start(self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1) -> AshaRun:
        """A running scheduler. Raises InputError if a bracket could never stop anything."""
        count = len(units) + later
        check_halving("asha", self.reduction_factor, self.first, max_epochs, count, reports_per_epoch, self.resource)
        ladders = [
            upward_rungs(self.first, self.reduction_factor, max_epochs, skip, reports_per_epoch, self.resource)
            for skip in range(self.brackets)
        ]
        acting = sum(map(bool, ladders))
        if acting < self.brackets:
            raise cannot_act(
                "asha",
                f"bracket {acting} of {self.brackets} would have its first rung after the last epoch, {max_epochs}",
                f"lower brackets to {acting}",
            )
        largest = count if math.isinf(count) else math.ceil(count / self.brackets)
        if largest < self.reduction_factor:
            why, _ = too_few(largest, self.reduction_factor)
            raise cannot_act("asha", f"every bracket gets at most {largest} of {count}: {why}", "lower brackets to 1")
        run = AshaRun(self, ladders, max_epochs)
        for unit in units:
            run.enter(unit)
        return run


class AshaRun:
    """Values seen at every rung so far, and the rung every unit comes to next."""

    pauses = False

    def __init__(self, settings: Asha, ladders: Sequence[tuple[Epochs, ...]], max_epochs: int) -> None:
        self._settings = settings
        self._max_epochs = max_epochs
        self._ladders = tuple(ladders)
        # Sorted; a unit without a value is -inf.
        self._seen: list[list[list[float]]] = [[[] for _ in ladder] for ladder in ladders]
        self._sizes = [0] * len(ladders)
        self._bracket_of: dict[str, int] = {}
        self._level: dict[str, int] = {}

    def enter(self, unit: str) -> None:
        """Deal `unit` to a bracket: every `brackets` consecutive units are spread over all brackets."""
        count = len(self._ladders)
        block, place = divmod(len(self._bracket_of), count)
        # A string seeds by its hash under SHA-512, the same in every process and Python version.
        order = random.Random(f"{self._settings.bracket_seed}/{block}").sample(range(count), count)
        self._bracket_of[unit] = order[place]
        self._level[unit] = 0
        self._sizes[order[place]] += 1

    def next_rung(self, unit: str) -> NextRung | None:
        """The next rung of the unit's bracket."""
        bracket, level = self._bracket_of[unit], self._level[unit]
        ladder = self._ladders[bracket]
        return NextRung(ladder[level], bracket) if level < len(ladder) else None

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """The verdict on `unit`, at once."""
        bracket, level = self._bracket_of[unit], self._level[unit]
        ladder = self._ladders[bracket]
        seen = self._seen[bracket][level]
        cutoff = percentile(seen, (1 - 1 / self._settings.reduction_factor) * 100) if seen else None
        insort(seen, -math.inf if value is None else value)
        go_on = value is not None and (cutoff is None or value >= cutoff)
        self._level[unit] = level + 1 if go_on else len(ladder)
        if value is not None:
            share = f"the best 1/{self._settings.reduction_factor:g} of the {len(seen) - 1} before it"
            reason = "first at this rung" if cutoff is None else f"{'within' if go_on else 'not within'} {share}"
        shown = cutoff if cutoff is not None and math.isfinite(cutoff) else None
        return (UnitVerdict(unit, go_on, ladder[level], bracket, value, shown, reason),)

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """Expected counts, if the order at one rung persists at the next: see `expected_going_on`."""
        eta = self._settings.reduction_factor
        brackets = []
        for number, (ladder, size) in enumerate(zip(self._ladders, self._sizes, strict=True)):
            going_on = expected_going_on(size, len(ladder), eta)
            entering = (float(size), *going_on)
            rungs = tuple(map(Rung, ladder, entering, going_on))
            resource = self._settings.resource
            brackets.append(Bracket(number, size, rungs, self._max_epochs, exact=False, resource=resource))
        return tuple(brackets)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The `percent` percentile of non-empty ascending values by linear interpolation, to the bit numpy's default.

    h = (n - 1) x percent / 100, between the values at floor(h) and floor(h) + 1. Own, because a sorted list grows by
    one value per report and numpy would sort it again: 50 times the time. Infinite below one end stays infinite.
    Source: Hyndman and Fan 1996, definition 7.
    """
    position = (len(ordered) - 1) * (percent / 100)
    index = math.floor(position)
    below = ordered[index]
    above = ordered[min(index + 1, len(ordered) - 1)]
    part = position - index
    if part == 0 or below == above or math.isinf(below):
        return below
    # From the nearer end, which keeps the result exact at both.
    return below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part)


@lru_cache(maxsize=256)
def expected_going_on(units: int, rungs: int, reduction_factor: float) -> tuple[float, ...]:
    """How many of `units` pass the first, the second, ... of `rungs` rungs of the stopping rule, on average.

    Above units / eta^k, because early arrivals are compared with few, and because whoever passed a rung came in good
    company: survivors of a rising cutoff tend to be better the later they come, so they pass the next rung too.
    By simulation: every unit has one uniform value, the same at every rung, and comes in the same random order. The
    first of m to come passes; the m-th with probability (m - 1 - (m - 2)(1 - 1/eta)) / m at the first rung.
    Deterministic: seeded by the arguments. The standard error is about 0.3 % of `units`.
    Assumes that the order at one rung persists at the next. If it changes, fewer pass the later rungs.
    """
    rng = random.Random(f"{units}/{rungs}/{float(reduction_factor)!r}")
    percent = (1 - 1 / reduction_factor) * 100
    repeats = max(1, _DRAWS // max(units, 1))
    passed = [0] * rungs
    for _ in range(repeats):
        running = [rng.random() for _ in range(units)]
        for level in range(rungs):
            seen: list[float] = []
            survivors = []
            for value in running:
                if not seen or value >= percentile(seen, percent):
                    survivors.append(value)
                insort(seen, value)
            passed[level] += len(survivors)
            running = survivors
    return tuple(count / repeats for count in passed)
