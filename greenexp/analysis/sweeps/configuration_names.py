"""What to call configurations that differ in their training method: by the method, and what sets them apart.

A configuration is called after its method and those of the method's fields that differ between configurations of this
method: `leebert all clo-v2`, `finetune layers=4`, but `branchynet` if there is one of it. Words stand for themselves,
numbers and switches with their field; a field without a value is left out; fields stand in alphabetical order. Where
names are still the same, the other searched fields that differ are added, and at last the configuration's own name.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd

from greenexp.records.tables import PARAMS, SweepTables

METHOD = "method"
_NAME = f"{METHOD}.name"


def method_settings(tables: SweepTables) -> pd.DataFrame:
    """A row per configuration, in plan order, indexed by its name: the searched fields; None for one without a value.

    `method.name` is always there: of a sweep with one method it is that of the sweep file.
    """
    first = tables.trials.drop_duplicates("configuration").set_index("configuration")
    fields = {path: first[PARAMS + path] for path in tables.parameters}
    frame = pd.DataFrame(fields, index=first.index, dtype=object)
    if _NAME not in frame:
        frame[_NAME] = tables.spec.method.name
    return frame.astype(object).where(frame.notna(), None)


def configuration_names(tables: SweepTables) -> dict[str, str]:
    """Configuration -> what to call it, in plan order, no two alike; see the module."""
    settings = method_settings(tables)
    fields = sorted(str(name) for name in settings)
    own = [name for name in fields if name.startswith(f"{METHOD}.") and name != _NAME]
    others = [name for name in fields if not name.startswith(f"{METHOD}.")]
    names = {str(configuration): str(settings.loc[configuration, _NAME]) for configuration in settings.index}
    for part in (own, others):
        names = _told_apart(names, settings, part)
    return {c: name if count == 1 else f"{name} {c}" for c, name, count in _counted(names)}


def _told_apart(names: dict[str, str], settings: pd.DataFrame, fields: list[str]) -> dict[str, str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for configuration, name in names.items():
        groups[name].append(configuration)
    found = dict(names)
    for members in groups.values():
        for field in fields if len(members) > 1 else ():
            values = settings.loc[members, field]
            if len(set(map(repr, values))) > 1:
                for configuration in members:
                    found[configuration] += _shown(field, settings.loc[configuration, field])
    return found


def _shown(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f" {value}"
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return f" {field.removeprefix(f'{METHOD}.')}={number}"


def _counted(names: dict[str, str]) -> list[tuple[str, str, int]]:
    every = list(names.values())
    return [(configuration, name, every.count(name)) for configuration, name in names.items()]
