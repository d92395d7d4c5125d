"""The costs among several objectives at a rung: the mean over seeds, or what is missing for one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from greenexp.records.objectives import ObjectiveCosts


def what_is_missing(costs: Sequence[str], told: Mapping[str, ObjectiveCosts]) -> str:
    """Why a configuration has no mean of some cost, "" if it has all. told: trial -> its costs."""
    for trial, known in told.items():
        for name in costs:
            if name not in known.values:
                return f"{trial} has no {name}: {known.missing.get(name, 'it was not reported')}"
    return ""


def means_of_costs(costs: Sequence[str], told: Mapping[str, ObjectiveCosts]) -> tuple[float, ...]:
    """The mean over the trials of each cost, exactly summed, so that the order of arrival leaves no trace."""
    return tuple(math.fsum(known.values[name] for known in told.values()) / len(told) for name in costs)
