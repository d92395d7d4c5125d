"""The policies of section `replay` against the exit policies there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenexp.plan.fields import check_plugin
from greenexp.records.places import FieldProblem
from greenexp.records.sections import Replay
from greenexp.replay import FAMILIES

PATH = "replay.policies"


def check_policies(replay: Replay, registry: Mapping[str, type[Any]]) -> Iterator[FieldProblem]:
    """What is wrong with each: unknown, no replay form, options that do not fit, a threshold, or listed twice."""
    first: dict[str, int] = {}
    for place, policy in enumerate(replay.policies):
        path = f"{PATH}.{place}"
        checked = check_plugin(path, {"name": policy.name, **policy.options}, registry)
        yield from checked.problems
        if checked.settings is None:
            continue
        family = str(getattr(registry[policy.name], "family", ""))
        if family not in FAMILIES:
            problem = f"'{policy.name}' has no replay form, so recorded logits cannot tell what it would do"
            yield FieldProblem(path, problem)
            continue
        # Of several, as patience and tolerance, it depends on the task which is replayed and which is fixed.
        several = hasattr(FAMILIES[family], "parameters")
        parameters = {"threshold"} if several else {"threshold", FAMILIES[family].parameter}
        yield from (
            FieldProblem(f"{path}.{field}", "is of no use here: every threshold is replayed; leave it out", of_key=True)
            for field in policy.options
            if field in parameters
        )
        options = {field: value for field, value in checked.settings.items() if field not in parameters}
        earlier = first.setdefault(repr(options), place)
        if earlier != place:
            yield FieldProblem(path, f"is the same as {PATH}.{earlier}")
