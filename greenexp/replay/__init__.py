"""Replay: what exit policies would do with recorded logits, and what each of their settings is worth. numpy alone.

One cached forward pass of a model gives every operating point of a policy, exactly. `record` holds what is replayed and
its prices, `points` the entry points, one file per family; `scores` and `outcomes` say what a point is worth, `chosen`
and `budgeted` choose thresholds on one split for another, `profiles`, `overthinking` and `confusion` say who leaves
where, who should have, and where exits disagree. Not in here: models, torch. To add a family: a file with a frozen
dataclass that follows `family.Family` and has the fields of its stream form (`greenexp.exits.policies`), a line in
`family.FAMILIES` and a row in tests/replay. To add a metric: see `greenexp.records.metrics`.
"""

from greenexp.replay.budgeted import budgeted_points, budgeted_thresholds
from greenexp.replay.chosen import chosen_thresholds, on_test
from greenexp.replay.confusion import confusion
from greenexp.replay.family import FAMILIES
from greenexp.replay.overthinking import overthinking
from greenexp.replay.points import exits_taken, operating_point, operating_points
from greenexp.replay.profiles import exit_profiles
from greenexp.replay.record import ExitCosts, ExitRecord

__all__ = [
    "FAMILIES",
    "ExitCosts",
    "ExitRecord",
    "budgeted_points",
    "budgeted_thresholds",
    "chosen_thresholds",
    "confusion",
    "exit_profiles",
    "exits_taken",
    "on_test",
    "operating_point",
    "operating_points",
    "overthinking",
]
