"""Bringing MLflow level with a tracked sweep: find what is there, send what is missing.

Safe to be killed between any two calls, and to be repeated: runs are found by their tags before any is made; the tag
that says which reports are there is written by the same `log_batch` as their metrics, and after them; where it is
behind, the markers in MLflow are read before anything is sent again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from greenexp.journal.state import TrialState
from greenexp.journal.tables import standing_logits
from greenexp.tracking import names
from greenexp.tracking.artifacts import RunArtifacts
from greenexp.tracking.content import MetricPoint, RunContent, other_points, report_points, run_content
from greenexp.tracking.logits import log_exits
from greenexp.tracking.server import told
from greenexp.tracking.tracked_sweep import SWEEP_KEY, RunKey, TrackedSweep

# mlflow/utils/validation.py: log_batch takes 1000 metrics, 100 parameters, 100 tags, together 1000 entities and 1 MB.
MAX_METRICS, MAX_PAIRS = 800, 100
MAX_TEXT = 400_000
"""Characters of JSON for the parameters of a call, and again for its tags: with the metrics below a megabyte."""
PAGE = 500

_ORDER = {names.SWEEP: 0, names.CONFIGURATION: 1, names.TRIAL: 2}
_FINAL = frozenset({"FINISHED", "FAILED", "KILLED"})


@dataclass(slots=True)
class Known:
    """What MLflow is known to hold of a run. `markers`: (metric, step) of reports and rungs; None = not looked yet."""

    run_id: str
    status: str
    end_ms: int | None
    params: dict[str, str]
    tags: dict[str, str]
    artifacts: str = ""
    reports: int = 0
    markers: set[tuple[str, int]] | None = field(default_factory=set)


class RunWriter:
    """Keeps one sweep in one experiment level.

    client: an `MlflowClient`; between any two of its calls `pause` is called, which may raise to give up
    folder: the sweep's, whose logits go to MLflow with what is replayed from them; None: they are left out
    """

    def __init__(
        self,
        client: Any,
        experiment_id: str,
        tracked: TrackedSweep,
        pause: Callable[[], None] = lambda: None,
        folder: Path | None = None,
    ) -> None:
        self._client = client
        self._experiment = experiment_id
        self._tracked = tracked
        self._pause = pause
        self._folder = folder
        self._known: dict[RunKey, Known] | None = None
        self._refused: set[RunKey] = set()
        self._remarks: list[str] = []

    def new_remarks(self) -> list[str]:
        """What the user should know of what was written since the last call."""
        remarks, self._remarks = self._remarks, []
        return remarks

    def write_changes(self, *, with_sweep: bool, with_report: bool = False) -> None:
        """Send what is missing of the runs that changed, and with `with_sweep` of the sweep's own (its elapsed time).

        with_report: also the report that lies in the sweep's folder, where MLflow has none or another one
        Whatever MLflow raises is passed on; what is known of MLflow is forgotten then, and found out again next time.
        """
        tracked = self._tracked
        self._refused.clear()
        try:
            if self._known is None:
                self._known = self._discover()
                tracked.touch_all()
            if with_sweep:
                tracked.dirty.add(SWEEP_KEY)
            for key in sorted(tracked.dirty, key=lambda key: (_ORDER[key[0]], key[1])):
                self._write_run(key)
                tracked.dirty.discard(key)
            tracked.dirty |= self._refused  # for next time
            if with_report:
                self._log_report(self._runs()[SWEEP_KEY])
        except BaseException:
            self._known = None
            raise

    def _discover(self) -> dict[RunKey, Known]:
        found: dict[RunKey, Known] = {}
        for run in find_runs(self._client, [self._experiment], self._tracked.sweep_id):
            self._pause()
            key = key_of(run.data.tags)
            known = Known(
                run_id=run.info.run_id,
                status=run.info.status,
                end_ms=run.info.end_time,
                params=dict(run.data.params),
                tags=dict(run.data.tags),
                artifacts=run.info.artifact_uri or "",
                markers=None,
            )
            if key in found:  # made twice because an answer got lost: keep the first, hide the other
                self._client.delete_run(known.run_id)
            else:
                found[key] = known
        return found

    def _write_run(self, key: RunKey) -> None:
        content = run_content(self._tracked, key)
        known = self._known_run(content)
        trial = self._tracked.state.trials.get(key[1]) if key[0] == names.TRIAL else None
        wanted = {**self._tags(content), **(self._log_exits(key, known, trial) if trial else {})}
        tags = {name: text for name, text in wanted.items() if known.tags.get(name) != text}
        params = {name: text for name, text in content.params.items() if name not in known.params}
        points = self._missing_points(known, trial, tags) if trial else []
        for batch in batches(points, params, tags):
            self._pause()
            self._log(known, *batch)
        if trial is not None and known.markers is not None:
            known.reports = len(trial.reports)
            known.markers |= {(p.name, p.step) for p in other_points(trial)}
        self._set_status(known, content)
        if key == SWEEP_KEY:
            self._log_sweep_file(known)

    def _known_run(self, content: RunContent) -> Known:
        """The run, made if it is not there. Its parent was brought first."""
        runs = self._runs()
        if content.key not in runs:
            identity = {name: text for name, text in self._tags(content).items() if name in IDENTITY}
            self._pause()
            run = self._client.create_run(
                self._experiment, start_time=content.start_ms, tags=identity, run_name=content.name
            )
            runs[content.key] = Known(
                run.info.run_id, "RUNNING", None, {}, identity, artifacts=run.info.artifact_uri or ""
            )
        return runs[content.key]

    def _tags(self, content: RunContent) -> dict[str, str]:
        parent = {} if content.parent is None else {names.PARENT: self._runs()[content.parent].run_id}
        return {**content.tags, **parent}

    def _runs(self) -> dict[RunKey, Known]:
        if self._known is None:
            raise RuntimeError("the runs in MLflow were not looked up")  # a bug: `write_changes` looks them up first
        return self._known

    def _missing_points(self, known: Known, trial: TrialState, tags: Mapping[str, str]) -> list[MetricPoint]:
        """Points of reports, rungs and test results that MLflow lacks; `tags`, those it lacks, tell whether to look."""
        others = other_points(trial)
        if known.markers is None:
            behind = any(tag.startswith((names.REPORTS, names.DECISIONS, names.HELD_OUT)) for tag in tags)
            known.reports = 0 if behind else len(trial.reports)
            known.markers = self._markers(known, trial) if behind else {(p.name, p.step) for p in others}
        missing: list[MetricPoint] = []
        for points in report_points(self._tracked, trial, known.reports):
            if (points[-1].name, points[-1].step) not in known.markers:
                missing += points
        return missing + [p for p in others if (p.name, p.step) not in known.markers]

    def _markers(self, known: Known, trial: TrialState) -> set[tuple[str, int]]:
        """Which reports and rungs MLflow really has."""
        keys = {point.name for point in other_points(trial)}
        keys |= {points[-1].name for points in report_points(self._tracked, trial)}
        found: set[tuple[str, int]] = set()
        for key in sorted(keys):
            self._pause()
            found |= {(key, metric.step) for metric in self._client.get_metric_history(known.run_id, key)}
        return found

    def _log(self, known: Known, points: list[MetricPoint], params: dict[str, str], tags: dict[str, str]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        self._client.log_batch(
            known.run_id,
            metrics=[Metric(p.name, p.value, p.time_ms, p.step) for p in points],
            params=[Param(name, text) for name, text in params.items()],
            tags=[RunTag(name, text) for name, text in tags.items()],
            synchronous=True,
        )
        known.params.update(params)
        known.tags.update(tags)

    def _set_status(self, known: Known, content: RunContent) -> None:
        if content.status in _FINAL:
            if (known.status, known.end_ms) != (content.status, content.end_ms):
                self._pause()
                self._client.set_terminated(known.run_id, status=content.status, end_time=content.end_ms)
        elif known.status != content.status:
            self._pause()
            self._client.update_run(known.run_id, status=content.status)
        known.status, known.end_ms = content.status, content.end_ms

    def _log_sweep_file(self, known: Known) -> None:
        """The resolved sweep file as an artifact, where artifacts can be reached from here: a convenience only."""
        if not self._takes_artifacts(known):
            return
        if _FILED in known.tags and not RunArtifacts(self._client, known.run_id, known.artifacts).lacks(
            names.SWEEP_FILE
        ):
            return
        text = yaml.safe_dump(dict(self._tracked.state.header["spec"]), sort_keys=False, allow_unicode=True)
        self._pause()
        with contextlib.suppress(Exception):
            self._client.log_text(known.run_id, text, names.SWEEP_FILE)
            self._log(known, [], {}, {_FILED: names.SWEEP_FILE})

    def _log_report(self, known: Known) -> None:
        """The report as an artifact of the sweep's run, over an older one; a store that refuses it costs a remark."""
        if self._folder is None or not self._takes_artifacts(known):
            return
        file = self._folder / names.REPORT_FILE
        try:
            text = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError:  # none was written
            return
        artifacts = RunArtifacts(self._client, known.run_id, known.artifacts)
        if known.tags.get(names.REPORT) == text and not artifacts.lacks(names.REPORT_FILE):
            return
        self._pause()
        try:
            self._client.log_artifact(known.run_id, str(file))
        except Exception as error:
            self._remarks.append(f"has no report: {told(error)}; `greenexp sync` tries again")
            return
        self._log(known, [], {}, {names.REPORT: text})

    def _log_exits(self, key: RunKey, known: Known, trial: TrialState) -> dict[str, str]:
        """Log logits and operating points of a trial that is at rest, once; the tags that say so go with the others.

        An artifact store that refuses must not keep metrics from being written: it is asked once per `write_changes`.
        """
        logits = standing_logits(trial)
        if logits is None or self._folder is None or not self._takes_artifacts(known):
            return {}
        if self._refused:
            self._refused.add(key)
            return {}
        state = self._tracked.state
        metric = state.spec.metric.name
        run = RunArtifacts(self._client, known.run_id, known.artifacts)
        try:
            return log_exits(run, self._folder, logits, state.policies, metric, known.tags, self._pause)
        except Exception:  # whatever it is, the journal and the logits are still there
            self._refused.add(key)
            return {}

    def _takes_artifacts(self, known: Known) -> bool:
        """Whether the run's artifacts can be reached from here.

        A server that keeps artifacts in a folder of its own would have us write into a folder of that name here.
        """
        reachable = ("mlflow-artifacts:",) if self._client.tracking_uri.startswith("http") else ("file:",)
        return known.artifacts.startswith(reachable)


_FILED = "greenexp.sweep_file"
IDENTITY = frozenset({
    names.KIND, names.SWEEP_NAME, names.SWEEP_ID, names.SOURCE, names.PARENT, names.CONFIGURATION_NAME,
    names.TRIAL_NAME,
})  # fmt: skip


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


def batches(
    points: list[MetricPoint], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[tuple[list[MetricPoint], dict[str, str], dict[str, str]]]:
    """(points, params, tags) of each `log_batch`, within its limits; the last one carries the last tags.

    The tags say what is there, so all metrics go in earlier calls or in the same one, which writes them first.
    """
    metric_parts = [points[i : i + MAX_METRICS] for i in range(0, len(points), MAX_METRICS)]
    param_parts, tag_parts = list(_parts(params)), list(_parts(tags))
    count = max(len(metric_parts), len(param_parts), len(tag_parts))
    for number in range(count):
        late = number - (count - len(tag_parts))
        yield (
            metric_parts[number] if number < len(metric_parts) else [],
            param_parts[number] if number < len(param_parts) else {},
            tag_parts[late] if late >= 0 else {},
        )


def _parts(pairs: Mapping[str, str]) -> Iterator[dict[str, str]]:
    part: dict[str, str] = {}
    size = 0
    for name, text in pairs.items():
        length = len(json.dumps([name, text]))
        if part and (len(part) == MAX_PAIRS or size + length > MAX_TEXT):
            yield part
            part, size = {}, 0
        part[name] = text
        size += length
    if part:
        yield part
