"""A trial's logits and what is replayed from them as artifacts of its run: `.npz` files, and one of Parquet.

The logits are named after their hash, so whoever reads them can trust them and replay the same tables as the journal's
readers. The Parquet file holds every operating point for people and other programs; it is named after the dev logits
and the policies. The tags LOGITS and POINTS name the files once they are there. So a trial that goes on after an
interruption, or a policy that is added to the record, gets other files, and nothing is logged twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from greenexp.records.at_rest import FOLDER, LogitsNames
from greenexp.records.exit_tables import ExitTables
from greenexp.replay.exit_tables import exit_tables, logged_points
from greenexp.replay.policy_points import empty_points, policy_points
from greenexp.replay.standing import StandingLogits, read_standing
from greenexp.tracking import names
from greenexp.tracking.artifacts import RunArtifacts


def points_artifact(logits: LogitsNames, policies: Iterable[Any]) -> str:
    """Path of the operating points of `policies` over these logits, relative to the run's artifacts."""
    told = json.dumps(list(policies), sort_keys=True)
    return f"{names.POINTS_FOLDER}/{logits.dev[:16]}-{hashlib.sha256(told.encode()).hexdigest()[:8]}.parquet"


def log_exits(
    run: RunArtifacts,
    folder: Path,
    logits: LogitsNames,
    policies: Sequence[Any],
    metric: str,
    tags: Mapping[str, str],
    pause: Callable[[], None],
) -> dict[str, str]:
    """Log what the run lacks of these logits and their operating points; the tags that then are true.

    What its tags name and its folder has lost is logged again.
    folder: the sweep's; tags: those the run has; `pause` is called before each call of the client
    """
    there = [name for name in logits.all if (folder / FOLDER / f"{name}.npz").is_file()]
    wanted = {names.LOGITS: _listed(there), names.POINTS: points_artifact(logits, policies)}
    lost = [name for name in there if run.lacks(_artifact(name))]
    no_points = tags.get(names.POINTS) != wanted[names.POINTS] or run.lacks(wanted[names.POINTS])
    if tags.items() >= wanted.items() and not lost and not no_points:
        return {}
    standing = read_standing(folder / FOLDER, logits)
    sound = {logits.dev: standing.dev, logits.test: standing.test}
    readable = [name for name in there if sound[name] is not None]
    logged = tags.get(names.LOGITS, "").split()
    for name in readable:
        if _artifact(name) not in logged or name in lost:
            pause()
            run.client.log_artifact(run.run_id, str(folder / FOLDER / f"{name}.npz"), names.LOGITS_FOLDER)
    found = {names.LOGITS: _listed(readable)} if readable else {}
    if no_points and standing.dev is not None and standing.dev.costs is not None:
        points = policy_points(standing.dev, policies, metric).points
        if len(points):
            pause()
            _log_points(run, points, wanted[names.POINTS])
            found[names.POINTS] = wanted[names.POINTS]
    return found


def fetch_exits(
    run: RunArtifacts, logits: LogitsNames, policies: Sequence[Any], metric: str, tags: Mapping[str, str]
) -> ExitTables:
    """The tables replayed from the logits in MLflow; of a run that has none, the operating points it logged."""
    with fetched_logits(run, logits, tags) as standing:
        if standing.dev is not None or names.POINTS not in tags:
            return exit_tables(standing, policies, metric)
        return _from_points(run, logits, standing, metric, tags[names.POINTS])


@contextlib.contextmanager
def fetched_logits(run: RunArtifacts, logits: LogitsNames, tags: Mapping[str, str]) -> Iterator[StandingLogits]:
    """The logits that stand for a trial, from its run's artifacts."""
    logged = tags.get(names.LOGITS, "").split()
    with tempfile.TemporaryDirectory(prefix="greenexp-logits-") as scratch:
        for name in logits.all:
            if _artifact(name) in logged:
                run.fetch(_artifact(name), Path(scratch))
        yield read_standing(Path(scratch), logits)


def _from_points(
    run: RunArtifacts, logits: LogitsNames, standing: StandingLogits, metric: str, artifact: str
) -> ExitTables:
    """Operating points alone: of runs recorded by earlier versions, or whose logits are damaged or gone."""
    problems = standing.problems
    if artifact.startswith(
        f"{names.POINTS_FOLDER}/{logits.dev[:16]}"
    ):  # else of an epoch that is not the best any more
        with tempfile.TemporaryDirectory(prefix="greenexp-points-") as scratch:
            file = run.fetch(artifact, Path(scratch))
            try:
                if file is not None:
                    return logged_points(pd.read_parquet(file), metric, problems)
            except (OSError, ValueError):  # pyarrow's errors are one or the other
                problems = (*problems, f"the artifact {artifact} in MLflow is damaged")
    return ExitTables(empty_points(), {}, problems, unread=problems)


def _log_points(run: RunArtifacts, points: pd.DataFrame, artifact: str) -> None:
    target, _, name = artifact.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="greenexp-points-") as scratch:
        file = Path(scratch) / name
        points.to_parquet(file, index=False)
        run.client.log_artifact(run.run_id, str(file), target)


def _artifact(name: str) -> str:
    return f"{names.LOGITS_FOLDER}/{name}.npz"


def _listed(logits: Iterable[str]) -> str:
    return " ".join(map(_artifact, logits))
