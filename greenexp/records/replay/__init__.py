"""Replay: what exit policies would do with recorded logits, and what each of their settings is worth. numpy alone.

One cached forward pass of a model gives every operating point of a policy, exactly. `record` holds what is replayed and
its prices, `points` the entry points, one file per family. Not in here: models, torch, the choice of a threshold. To
add a family: a file with a frozen dataclass that follows `family.Family` and has the fields of its stream form
(`greenexp.exits.policies`), a line in `family.FAMILIES` and a row in tests/records.
"""

from greenexp.records.replay.family import FAMILIES
from greenexp.records.replay.points import exits_taken, operating_points
from greenexp.records.replay.record import ExitCosts, ExitRecord

__all__ = ["FAMILIES", "ExitCosts", "ExitRecord", "exits_taken", "operating_points"]
