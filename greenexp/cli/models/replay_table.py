"""What `greenexp replay` prints for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from greenexp.units import format_quantity

if TYPE_CHECKING:
    from greenexp.cli.models.replaying import PolicyReplay, Row, TrialReplay, Wish
    from greenexp.replay.latency import LatencyTable
    from greenexp.sources.recorded import Recorded

_GAP = "  "


def replay_lines(
    recorded: Recorded, wish: Wish, trials: Sequence[TrialReplay], latency: LatencyTable | None
) -> list[str]:
    """One table per trial, and what must be known of it. latency: where seconds come from."""
    lines: list[str] = []
    why = f" ({recorded.why})" if recorded.why else ""
    for trial in trials:
        lines += [""] if lines else []
        sizes = " and ".join(f"{split.examples:,} {split.name}" for split in trial.splits)
        lines += [f"{recorded.name}  {trial.trial}{why} · {sizes} examples · {trial.metric}", _rule(wish, trial), ""]
        lines += _aligned(_budget_rows(trial) if trial.budgets else _rows(trial))
        lines += ["", *notes] if (notes := _notes(wish, trial, latency)) else []
    return lines


def _rule(wish: Wish, trial: TrialReplay) -> str:
    """How the thresholds came to be, and what that makes of the numbers."""
    if trial.budgets:
        budget = format_quantity(wish.budget_flops, "FLOP")
        how = f"A threshold per exit, found on dev so that an example costs {budget} there on average, at most."
    else:
        how = (
            f"Thresholds are chosen on dev: the best {trial.metric} among those with at least that speed-up in layers."
        )
    if trial.test is None:
        return f"{how} There are no test logits: numbers on dev, which chose, flatter."
    return f"{how} Test had no part in that."


def _rows(trial: TrialReplay) -> list[list[str]]:
    splits = [split.name for split in trial.splits]
    timed = trial.dev.costs.latency_s is not None
    table = [["policy", "at least", "threshold", *(name for split in splits for name in _columns(trial, split, timed))]]
    for policy in trial.policies:
        for targets, row in _merged(policy):
            cells = [cell for split in splits for cell in _cells(row[split], trial.metric, timed)]
            table.append([policy.shown, targets, _threshold(policy, row["threshold"]), *cells])
    return table


def _columns(trial: TrialReplay, split: str, timed: bool) -> list[str]:
    return [f"{split} {name}" for name in (trial.metric, "speed-up", "FLOPs", *(["seconds"] if timed else []))]


def _merged(policy: PolicyReplay) -> list[tuple[str, Row]]:
    """Targets that come to the same threshold share a row."""
    found = []
    for (given, _), rows in groupby(policy.chosen, key=lambda row: (row["target"] is None, str(row["threshold"]))):
        same = list(rows)
        ends = dict.fromkeys(f"{row['target']:g}x" for row in (same[0], same[-1]) if not given)
        found.append(("given" if given else " to ".join(ends), same[0]))
    return found


def _cells(point: Row | None, metric: str, timed: bool) -> list[str]:
    if point is None:
        return ["-"] * (4 if timed else 3)
    cells = [_number(point[metric], ".4f"), _number(point["speed_up"], ".2f", "x"), _flops(point["inference_flops"])]
    return [*cells, _seconds(point["latency_s"])] if timed else cells


def _threshold(policy: PolicyReplay, threshold: float) -> str:
    if math.isnan(threshold):
        return "-"
    return f"exit {threshold:g}" if policy.name == "static" else exact(threshold)


def exact(threshold: float) -> str:
    """The fewest digits that are this threshold again; most are compared as float32, and come from there."""
    single = np.float32(threshold)
    return repr(threshold).removesuffix(".0") if float(single) != threshold else str(single).removesuffix(".0")


def _budget_rows(trial: TrialReplay) -> list[list[str]]:
    splits = [split.name for split in trial.splits]
    timed = trial.dev.costs.latency_s is not None
    exits = sorted({number for row in trial.budgets for number in row["thresholds"]})
    head = ["policy", *(f"exit {number}" for number in exits)]
    table = [[*head, *(name for split in splits for name in _columns(trial, split, timed))]]
    for row in trial.budgets:
        limits = [exact(row["thresholds"][number]) if number in row["thresholds"] else "-" for number in exits]
        cells = [cell for split in splits for cell in _cells(row[split], trial.metric, timed)]
        table.append([row["shown"], *limits, *cells])
    return table


def _notes(wish: Wish, trial: TrialReplay, latency: LatencyTable | None) -> list[str]:
    notes = list(trial.notes)
    unscored = [policy.shown for policy in trial.policies if not policy.chosen]
    if unscored and not trial.budgets:
        notes.append(f"{trial.metric} on dev is not defined at any setting of {', '.join(unscored)}")
    names = {policy.name for policy in trial.policies}
    if "static" in names:
        notes.append("static: everybody leaves at that exit, and no other is evaluated")
    if "oracle" in names:
        notes.append("oracle: leaves at the first exit that is right, so it needs the labels: a bound, not a policy")
    if "voting" in names:
        notes.append("voting: a reconstruction of Sun et al. 2021, whose text was not at hand")
    also = " --calibrated" if wish.calibrated else ""
    notes += [f"the same again: --policy {_per_exit(row)}{also}" for row in trial.budgets]
    if wish.calibrated:
        notes.append("calibrated: each exit's logits divided by a temperature fitted on dev")
    if latency is not None:
        where = f"{latency.device}, {latency.threads} thread(s), {latency.precision}"
        notes.append(f"seconds: of one example alone, exits on the way evaluated, measured on {where} ({wish.latency})")
    return notes


def _per_exit(row: Row) -> str:
    """The text that is the policy with its thresholds again."""
    name, _, options = row["label"].partition(":")
    limits = [f"{number}={exact(limit)}" for number, limit in row["thresholds"].items()]
    return f"{name}:{','.join([*limits, *filter(None, [options])])}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        _GAP.join(cell.ljust(width) if place < 2 else cell.rjust(width) for place, (cell, width) in enumerate(
            zip(row, widths, strict=True))).rstrip()
        for row in table
    ]  # fmt: skip


def _number(value: Any, form: str, unit: str = "") -> str:
    return "undefined" if math.isnan(value) else f"{value:{form}}{unit}"


def _flops(value: float) -> str:
    return "not known" if math.isnan(value) else format_quantity(value, "FLOP")


def _seconds(value: float) -> str:
    return "not known" if math.isnan(value) else f"{1000 * value:.3g} ms"
