"""The fixed part of dev on which reports within an epoch are evaluated: the same for every trial of a task."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

from greenexp.errors import FieldError
from greenexp.records.sections import Training
from greenexp.tasks.data import Labels
from greenexp.tasks.prepared import PreparedSplit, part

PLACE = "training.report_dev"


def part_of_dev(dev: PreparedSplit, training: Training) -> PreparedSplit | None:
    """The part of `dev` that `training.report_dev` asks for; None where it asks for none. Raises as `dev_part`."""
    wanted = training.report_dev
    return None if wanted is None else part(dev, dev_part(dev.labels, wanted))


def dev_part(labels: Labels, wanted: float) -> npt.NDArray[np.int64]:
    """Which examples of dev are the part, rising: int64 [example].

    labels: [example] of dev, classes or values; wanted: how many, or below 1 which share of them (rounded, at least 1)
    Every (n / m)-th of the n examples in the order of their labels, in which those of one label stand in random order:
    classes have their shares of dev, but for one example, and values are spread over their range. The order is drawn
    by n alone, so equal dev sets have equal parts. Raises FieldError for more examples than dev has.
    """
    whole = len(labels)
    size = max(1, round(wanted * whole)) if wanted < 1 else int(wanted)
    if size > whole:
        raise FieldError(PLACE, f"is {size}, and dev has {whole} examples: lower it, or leave it out")
    drawn = random.Random(f"part of dev/{whole}")
    chance = np.array([drawn.random() for _ in range(whole)])
    ranked = np.lexsort((chance, labels))
    return np.sort(ranked[[(2 * place + 1) * whole // (2 * size) for place in range(size)]]).astype(np.int64)
