"""Everything an experiment holds, in a form that two experiments can be compared by; and clients that go wrong."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from greenexp.tracking import names
from greenexp.tracking.runs import key_of, search
from greenexp.tracking.server import sqlite_file


def dump(client: Any, experiment_id: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(role, name) -> all that MLflow holds of that run; fails on a doubled run.

    Histories are read straight from the database: through the client it takes a call per metric.
    """
    runs = list(search(client, [experiment_id], ""))
    keys = {run.info.run_id: key_of(run.data.tags) for run in runs}
    assert len(set(keys.values())) == len(runs), "a run was made twice"
    found = {}
    for run in runs:
        tags = dict(run.data.tags)
        if names.PARENT in tags:
            tags[names.PARENT] = str(keys[tags[names.PARENT]])
        found[keys[run.info.run_id]] = {
            "name": run.info.run_name, "status": run.info.status, "start": run.info.start_time,
            "end": run.info.end_time, "params": dict(run.data.params), "tags": tags, "metrics": {},
        }  # fmt: skip
    query = "SELECT run_uuid, key, step, timestamp, value FROM metrics ORDER BY key, step, timestamp, value"
    with contextlib.closing(sqlite3.connect(sqlite_file(client.tracking_uri))) as database:
        for run_id, key, *point in database.execute(query):
            if run_id in keys:
                found[keys[run_id]]["metrics"].setdefault(key, []).append(tuple(point))
    return found


def doubled_steps(contents: dict[tuple[str, str], dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(run, metric, step) of every step that a series holds more than once."""
    return [
        (key, metric, step)
        for key, run in contents.items()
        for metric, points in run["metrics"].items()
        for step in {step for step, _, _ in points}
        if sum(point[0] == step for point in points) > 1
    ]


class Killed(BaseException):
    """The process is gone."""


class Watched:
    """A client of which every call is counted, and goes through `around(name, call)`."""

    def __init__(self, client: Any, around: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._client = client
        self._around = around
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return self._around(name, lambda: value(*args, **kwargs))

        return call


def counting(client: Any) -> Watched:
    return Watched(client, lambda _, call: call())


def dying(client: Any, number: int, *, after: bool) -> Watched:
    """Dies just before or just after its call `number` (from 0) took effect."""
    left = [number]

    def around(_: str, call: Callable[[], Any]) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            return call()
        if after:
            call()
        raise Killed

    return Watched(client, around)


def failing(client: Any, fails: Callable[[int, str], bool], *, after: bool) -> Watched:
    """Raises as a server does that is away (before) or whose answers get lost (after)."""
    count = [0]

    def around(name: str, call: Callable[[], Any]) -> Any:
        count[0] += 1
        if not fails(count[0], name):
            return call()
        if after:
            call()
        raise ConnectionError("the server is away")

    return Watched(client, around)


def slow(client: Any, delay_s: float) -> Watched:
    def around(_: str, call: Callable[[], Any]) -> Any:
        time.sleep(delay_s)
        return call()

    return Watched(client, around)
