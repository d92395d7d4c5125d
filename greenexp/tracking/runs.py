"""The runs of sweeps in MLflow: which run is which, and how they are found."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from greenexp.tracking import names
from greenexp.tracking.tracked_sweep import RunKey

PAGE = 500
FINAL = frozenset({"FINISHED", "FAILED", "KILLED"})
"""MLflow's statuses of runs that have ended."""
IDENTITY = frozenset({
    names.KIND, names.SWEEP_NAME, names.SWEEP_ID, names.SOURCE, names.PARENT, names.CONFIGURATION_NAME,
    names.TRIAL_NAME,
})  # fmt: skip
"""Tags that say which run this is, written when it is made."""


def folder_mark(folder: Path) -> str:
    """What tells a sweep's folder from its copies, on this machine and on others, without naming it."""
    return hashlib.sha256(f"{platform.node()}:{folder.resolve()}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def key_of(tags: Mapping[str, str]) -> RunKey:
    """Which run of its sweep carries these tags."""
    kind = tags.get(names.KIND, "")
    name = {names.CONFIGURATION: names.CONFIGURATION_NAME, names.TRIAL: names.TRIAL_NAME}.get(kind)
    return kind, tags.get(name, "") if name else ""


def find_runs(client: Any, experiments: list[str], sweep_id: str) -> list[Any]:
    """All runs of a sweep, in an order that does not change: by start time, then id."""
    runs = list(search(client, experiments, f"tags.`{names.SWEEP_ID}` = '{sweep_id}'"))
    return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def search(client: Any, experiments: list[str], query: str) -> Iterator[Any]:
    """All active runs that answer a query, page by page."""
    token = None
    while True:
        page = client.search_runs(experiments, filter_string=query, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
