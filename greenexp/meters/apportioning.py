"""Dividing the energy of an interval among those who had a part in a device, so that the parts are the whole.

Of an interval's energy E, the idle part `min(E, P_idle * t)` is divided by allocation: to each trial its allocated
share of the device times the part of the interval in which it held it, the rest to the sweep. The dynamic part, all
above it, is divided by activity: what each trial's process used of the device, what the sweep's own processes used, and
what others used, which stays unattributed. Energies are whole microjoules, so that no rounding is left over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenexp.records.energy import EnergyMethod

STRANGERS = 0.05
"""A trial counts as alone on a device as long as others make less than this part of the activity there."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A trial's part in an interval of a device.

    share: the part of the device allocated to it, in (0, 1]; held_s: how long it held that; activity: what its process
    used of the device meanwhile, in any unit; None: not known
    """

    trial: str
    share: float
    held_s: float
    activity: float | None


@dataclass(frozen=True, slots=True)
class Division:
    """An interval's energy in its parts, microjoules; `method`: how the trials' parts were found."""

    trials_uj: Mapping[str, int]
    overhead_uj: int
    unattributed_uj: int
    method: EnergyMethod


def divide(
    energy_uj: int,
    interval_s: float,
    idle_w: float | None,
    holdings: Sequence[Holding],
    *,
    own_activity: float = 0.0,
    other_activity: float | None = None,
) -> Division:
    """The parts of an interval; they add up to `energy_uj` exactly.

    idle_w: idle power; None: not known, and all energy counts as dynamic
    own_activity: of the sweep's processes that are no trial's; other_activity: of everybody else; None: not known
    """
    idle_uj = 0 if idle_w is None else min(energy_uj, round(idle_w * interval_s * 1e6))
    known = other_activity is not None and all(holding.activity is not None for holding in holdings)
    activities = [holding.activity or 0.0 for holding in holdings]
    total = sum(activities) + own_activity + (other_activity or 0.0)
    method = EnergyMethod.MEASURED_SHARED_UTILISATION
    if _is_alone(holdings, own_activity, other_activity):
        idle = apportioned(energy_uj, [holdings[0].held_s, max(0.0, interval_s - holdings[0].held_s)])
        return Division({holdings[0].trial: idle[0]}, idle[1], 0, EnergyMethod.MEASURED_EXCLUSIVE)
    if known and total > 0:
        weights = [*activities, own_activity, other_activity or 0.0]
    else:  # nothing says who used it: by the time it was held
        method = EnergyMethod.MEASURED_SHARED_EQUAL
        held = [holding.held_s for holding in holdings]
        # Without a trial it is the sweep's if nobody used the device, and otherwise nobody knows whose.
        ours = known and not holdings
        weights = [*held, 0.0, 0.0] if sum(held) > 0 else [*[0.0] * len(holdings), float(ours), float(not ours)]
    *dynamic, own, other = apportioned(energy_uj - idle_uj, weights)
    *idle, rest = apportioned(idle_uj, _allocations(holdings, interval_s))
    trials: dict[str, int] = {}
    for holding, one, two in zip(holdings, idle, dynamic, strict=True):
        trials[holding.trial] = trials.get(holding.trial, 0) + one + two
    return Division(trials, rest + own, other, method)


def apportioned(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts proportional to `weights` (at least one of them above 0), each within 1 of its share."""
    whole = sum(weights)
    if whole <= 0:
        raise ValueError("no weight is above 0")
    parts, before, running = [], 0, 0.0
    for weight in weights:
        running += weight
        upto = min(total, round(total * (running / whole)))
        parts.append(upto - before)
        before = upto
    parts[-1] += total - before
    return parts


def _is_alone(holdings: Sequence[Holding], own: float, other: float | None) -> bool:
    """Whether one trial had all of the device, and nobody else was seen to use it."""
    if len(holdings) != 1 or holdings[0].share < 1:
        return False
    if other is None:  # the device does not tell; it was allocated to nobody else
        return True
    return other <= STRANGERS * (other + own + (holdings[0].activity or 0.0))


def _allocations(holdings: Sequence[Holding], interval_s: float) -> list[float]:
    """Of the idle part: each trial's allocated share of the interval, and what nobody was given."""
    if interval_s <= 0:
        return [*(holding.share for holding in holdings), 0.0 if holdings else 1.0]
    given = [holding.share * min(1.0, holding.held_s / interval_s) for holding in holdings]
    return [*given, max(0.0, 1.0 - sum(given)) if sum(given) < 1 else 0.0] if sum(given) > 0 else [*given, 1.0]
