"""What a threshold is worth that was not chosen on the examples it is judged on, where there is no test set.

The examples are cut in two halves; on each a threshold is chosen, and judged on the other. The mean over both, and over
several cuts, is a score on all examples of thresholds chosen on others: 2-fold cross-fitting, repeated (Dietterich
1998, Neural Computation 10, on why once is noisy). What is left of optimism: the epoch, and whoever chose the
configuration, had all examples. A threshold chosen on half of them is a little worse than one chosen on all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.replay.chosen import TARGETS, on_test
from greenexp.replay.record import ExitCosts, ExitRecord, Ints

REPEATS = 10
COLUMNS = ("policy", "target", "score", "speed_up", "inference_flops", "flattered")


def on_other_half(
    record: ExitRecord,
    costs: ExitCosts,
    policies: Iterable[Any],
    targets: Iterable[float] = TARGETS,
    metric: str | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> pd.DataFrame:
    """Per policy and target speed-up, means over 2 x `repeats` halves: thresholds chosen on one, judged on the other.

    policies, targets, metric, the rule: as in `chosen.on_test`. Cuts depend on `seed` and the labels alone, so that
    models with the same examples are judged on the same halves.
    COLUMNS: score, speed_up, inference_flops: on the half that did not choose; flattered: how much better the same
    thresholds look where they were chosen. A target that is not reached on every half has no row.
    Raises InputError as `operating_points` does, ValueError for fewer than 4 examples or 1 repeat.
    """
    if repeats < 1 or len(record.labels) < 4:
        raise ValueError("two halves need at least 4 examples, and one repeat")
    names, wanted = tuple(policies), tuple(targets)
    parts = [
        on_test(part(record, ours), costs, part(record, others), costs, names, wanted, metric)
        for pair in halves(record.labels, repeats, seed)
        for ours, others in (pair, pair[::-1])
    ]
    rows = pd.concat(parts, ignore_index=True)
    groups = rows.groupby(["policy", "target"], sort=False)
    found = groups[["dev_score", "test_score", "test_speed_up", "test_inference_flops"]].mean()
    found = found[groups.size() == len(parts)].reset_index()
    found["flattered"] = found["dev_score"] - found["test_score"]
    shown = {f"test_{name}": name for name in ("score", "speed_up", "inference_flops")}
    return found.rename(columns=shown)[list(COLUMNS)]


def halves(labels: npt.NDArray[Any], repeats: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """`repeats` cuts into two halves, ascending places each, with every label (or value) evenly in both."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        order = rng.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        yield np.sort(order[0::2]), np.sort(order[1::2])


def part(record: ExitRecord, examples: Ints) -> ExitRecord:
    """The record of some of its examples, by their places."""
    learned = None if record.learned is None else record.learned[:, examples]
    return ExitRecord(
        record.logits[:, examples], record.labels[examples], record.lengths[examples], record.numbers, learned
    )
