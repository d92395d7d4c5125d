"""The sweep file in full, versions, machine: what is needed to do it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import yaml

from greenexp.records.origins import ORIGINS
from greenexp.records.priced import PRICE
from greenexp.records.tables import SweepTables
from greenexp.report.section import Section
from greenexp.report.table import Column, Table, plain_value


def section(tables: SweepTables) -> Section:
    """Facts of the sweep as a flat table, and the resolved sweep file with all defaults."""
    rows = list(_flat(_facts(tables)))
    frame = pd.DataFrame(rows, columns=["fact", "value"])
    columns = (Column("fact", "Fact"), Column("value", "Value", "prose"))
    listing = yaml.safe_dump(tables.spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
    return Section(
        name="appendix",
        title="Sweep file, versions, machine",
        paragraphs=("The resolved sweep file, with every default written out and quantities in base units:",),
        listing=listing,
        tables=(Table("facts", "Recorded facts", frame, columns),) if rows else (),
    )


def _facts(tables: SweepTables) -> dict[str, Any]:
    """What is recorded of the sweep as a whole, and what its tables lack; what is not there is left out."""
    history = tables.history
    limit = {} if history.limit is None else {"limit": dataclasses.asdict(history.limit)}
    lacking = {name: remark for name, remark in dataclasses.asdict(tables.remarks).items() if remark}
    recorded = {name: getattr(history, name) for name in ("name", "fingerprint", "began", "elapsed_s", "complete")}
    # They have their place among the costs.
    sessions = [
        {name: fact for name, fact in each.items() if name not in (PRICE, ORIGINS)} for each in history.sessions
    ]
    return {**recorded, **limit, "policies": history.policies, "sessions": sessions, **lacking}


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Nested facts as `sessions.1.versions.torch` -> text, lists counted from 1."""
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, list | tuple):
        parts = list(enumerate(value, start=1))
    else:
        return [(path, _fact(path, value))]
    return [row for key, inner in parts for row in _flat(inner, f"{path}.{key}" if path else str(key))]


def _fact(path: str, value: Any) -> str:
    """A single fact in words; the moment a sweep began as a date."""
    if path == "began" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(value) if isinstance(value, float) else plain_value(value)
