"""Bringing MLflow level with a tracked sweep: find what is there, send what is missing.

Safe to be killed between any two calls, and to be repeated: runs are found by their tags before any is made; the tag
that says which reports are there is written by the same `log_batch` as their metrics, and after them; where it is
behind, the markers in MLflow are read before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME
from greenexp.journal.state import TrialState
from greenexp.journal.tables import standing_logits
from greenexp.tracking import names
from greenexp.tracking.artifacts import RunArtifacts
from greenexp.tracking.batches import batches
from greenexp.tracking.chosen_model import KeptModel, log_model
from greenexp.tracking.content import MetricPoint, RunContent, other_points, report_points, run_content
from greenexp.tracking.description import is_own, mark_of
from greenexp.tracking.logits import log_exits
from greenexp.tracking.markers import is_marker, markers_of
from greenexp.tracking.runs import FINAL, IDENTITY, find_runs, folder_mark, key_of
from greenexp.tracking.server import told
from greenexp.tracking.sweep_pages import data_sets, log_data_sets, log_report, log_sweep_file
from greenexp.tracking.texts import from_parts
from greenexp.tracking.tracked_sweep import SWEEP_KEY, RunKey, TrackedSweep

_ORDER = {names.SWEEP: 0, names.CONFIGURATION: 1, names.TRIAL: 2}
_PARTIAL = (names.JSON, names.CHANGED, names.SESSION, names.CONTINUED, names.PRICE)


@dataclass(slots=True)
class Known:
    """What MLflow is known to hold of a run.

    metrics: the last value of each, as it was found
    markers: (metric, step) of reports, rungs and test results; None = not looked yet
    """

    run_id: str
    status: str
    start_ms: int
    end_ms: int | None
    params: dict[str, str]
    tags: dict[str, str]
    artifacts: str = ""
    reports: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    markers: set[tuple[str, int]] | None = field(default_factory=set)


class RunWriter:
    """Keeps one sweep in one experiment level.

    client: an `MlflowClient`; between any two of its calls `pause` is called, which may raise to give up
    folder: the sweep's, whose logits go to MLflow with what is replayed from them; None: they are left out
    leads: the sweep is run in this folder. Another one may be an older copy of it, which is refused if MLflow holds
        more than its journal
    """

    def __init__(
        self,
        client: Any,
        experiment_id: str,
        tracked: TrackedSweep,
        pause: Callable[[], None] = lambda: None,
        folder: Path | None = None,
        *,
        leads: bool = True,
    ) -> None:
        self._client = client
        self._experiment = experiment_id
        self._tracked = tracked
        self._pause = pause
        self._folder = folder
        self._leads = leads
        self._known: dict[RunKey, Known] | None = None
        self._refused: set[RunKey] = set()
        self._remarks: list[str] = []
        self._notes: dict[RunKey, dict[str, str]] = {}
        self._taken_back = 0

    def new_remarks(self) -> list[str]:
        """What the user should know of what was written since the last call."""
        remarks, self._remarks = self._remarks, []
        return remarks

    @property
    def run_ids(self) -> frozenset[str]:
        """Ids of the runs that are known to be there."""
        return frozenset(known.run_id for known in (self._known or {}).values())

    def write_changes(self, *, with_sweep: bool, with_report: bool = False) -> None:
        """Send what is missing of the runs that changed, and with `with_sweep` of the sweep's own (its elapsed time).

        with_report: also the report and the chosen model in the sweep's folder, where MLflow has others or none
        Whatever MLflow raises is passed on; what is known of MLflow is forgotten then, and found out again next time.
        Raises TrackingError for an older copy of the folder in which the sweep is run.
        """
        tracked = self._tracked
        self._refused.clear()
        try:
            if self._known is None:
                self._known, unknown = self._discover()
                self._refuse_older_copy(unknown)
                for key, known in unknown.items():
                    self._take_back(key, known)
                tracked.touch_all()
            if with_sweep:
                tracked.dirty.add(SWEEP_KEY)
            for key in sorted(tracked.dirty, key=lambda key: (_ORDER[key[0]], key[1])):
                self._write_run(key)
                tracked.dirty.discard(key)
            tracked.dirty |= self._refused  # for next time
            if self._taken_back:
                self._remarks.append(
                    f"{self._taken_back} runs held what the journal does not say, as its last lines were lost: they "
                    "are written anew, and the old ones are among the deleted runs"
                )
                self._taken_back = 0
            if with_report:
                self._log_report(self._runs()[SWEEP_KEY])
                self._log_model(self._runs()[SWEEP_KEY])
        except BaseException:
            self._known = None
            raise

    def _discover(self) -> tuple[dict[RunKey, Known], dict[RunKey, Known]]:
        """The sweep's runs in MLflow: those that the journal knows, and the others."""
        found: dict[RunKey, Known] = {}
        for run in find_runs(self._client, [self._experiment], self._tracked.sweep_id):
            self._pause()
            key = key_of(run.data.tags)
            known = Known(
                run_id=run.info.run_id,
                status=run.info.status,
                start_ms=run.info.start_time,
                end_ms=run.info.end_time,
                params=dict(run.data.params),
                tags=dict(run.data.tags),
                artifacts=run.info.artifact_uri or "",
                metrics=dict(run.data.metrics),
                markers=None,
            )
            if key in found:  # made twice because an answer got lost: keep the first, hide the other
                self._client.delete_run(known.run_id)
            else:
                found[key] = known
        unknown = {key: found.pop(key) for key in [key for key in found if not self._tracked.has(key)]}
        return found, unknown

    def _refuse_older_copy(self, unknown: Mapping[RunKey, Known]) -> None:
        """TrackingError if another folder's sweep stands in MLflow and this one's journal has less of it."""
        runs, trials = self._runs(), self._tracked.state.trials
        if self._leads or self._folder is None or SWEEP_KEY not in runs:
            return
        tags = runs[SWEEP_KEY].tags
        if names.present(tags).get(names.FOLDER) in {None, folder_mark(self._folder)}:
            return
        elapsed_s = (from_parts(names.FACTS, tags) or {}).get("elapsed_s", 0.0)
        if (
            unknown
            or elapsed_s > self._tracked.state.elapsed_s
            or not all(self._look(k, run_content(self._tracked, key), trials.get(key[1])) for key, k in runs.items())
        ):
            raise TrackingError(
                f"MLflow holds more of this sweep than {self._folder / NAME}, and has it from another folder: this one "
                "seems to be an older copy. Sync the folder in which the sweep was run last, or name another address"
            )

    def _take_back(self, key: RunKey, known: Known) -> None:
        """Delete a run that holds what the journal does not say; MLflow can restore it.

        What the user wrote on it is kept for the run that takes its place.
        """
        own = ("greenexp.", "mlflow.")
        self._notes[key] = {
            name: text
            for name, text in known.tags.items()
            if (name == names.NOTE and not is_own(known.tags)) or not name.startswith(own)
        }
        self._taken_back += 1
        self._pause()
        self._client.set_tag(known.run_id, names.TAKEN_BACK, "it holds what the journal of its sweep does not say")
        if known.status not in FINAL:
            self._client.set_terminated(known.run_id, status="KILLED")
        self._client.delete_run(known.run_id)

    def _write_run(self, key: RunKey) -> None:
        content = run_content(self._tracked, key)
        known = self._known_run(content)
        trial = self._tracked.state.trials.get(key[1]) if key[0] == names.TRIAL else None
        if known.markers is None and not self._look(known, content, trial):
            self._take_back(key, self._runs().pop(key))
            known = self._known_run(content)
        wanted = names.moved(known.tags) | self._tags(content) | self._more_tags(key, known, content, trial)
        tags = {name: text for name, text in wanted.items() if known.tags.get(name) != text}
        params = {name: text for name, text in content.params.items() if name not in known.params}
        for batch in batches(self._missing_points(known, trial) if trial else [], params, tags):
            self._pause()
            self._log(known, *batch)
        if trial is not None and known.markers is not None:
            known.reports = len(trial.reports)
            known.markers |= {(p.name, p.step) for p in other_points(trial)}
        self._drop_tags(known, content)
        self._set_status(known, content)
        if key == SWEEP_KEY:
            self._log_pages(known)

    def _more_tags(self, key: RunKey, known: Known, content: RunContent, trial: TrialState | None) -> dict[str, str]:
        """Tags that do not follow from the journal alone: what else was logged now, and where the sweep lies."""
        found = {} if trial is None else self._log_exits(key, known, trial)
        if key[0] != names.CONFIGURATION:
            found |= self._log_data(known, trial)
        if key == SWEEP_KEY:
            found |= self._described(known, content)
            mine = self._leads or names.FOLDER not in names.present(known.tags)
            if self._folder is not None and mine:
                found[names.FOLDER] = folder_mark(self._folder)
        return found

    def _drop_tags(self, known: Known, content: RunContent) -> None:
        """Tags that said something once and do not any more: parts of longer JSON, settings changed back, old names."""
        old = [name for name in known.tags if name.startswith(_PARTIAL) and name not in content.tags]
        for name in [*old, *filter(names.is_earlier, known.tags)]:
            self._pause()
            self._client.delete_tag(known.run_id, name)
            del known.tags[name]

    def _known_run(self, content: RunContent) -> Known:
        """The run, made if it is not there. Its parent was brought first."""
        runs = self._runs()
        if content.key not in runs:
            identity = {name: text for name, text in self._tags(content).items() if name in IDENTITY}
            identity |= self._notes.pop(content.key, {})
            self._pause()
            run = self._client.create_run(
                self._experiment, start_time=content.start_ms, tags=identity, run_name=content.name
            )
            place = run.info.artifact_uri or ""
            runs[content.key] = Known(run.info.run_id, "RUNNING", content.start_ms, None, {}, identity, artifacts=place)
        return runs[content.key]

    def _tags(self, content: RunContent) -> dict[str, str]:
        parent = {} if content.parent is None else {names.PARENT: self._runs()[content.parent].run_id}
        return {**content.tags, **parent}

    def _runs(self) -> dict[RunKey, Known]:
        if self._known is None:
            raise RuntimeError("the runs in MLflow were not looked up")  # a bug: `write_changes` looks them up first
        return self._known

    def _look(self, known: Known, content: RunContent, trial: TrialState | None) -> bool:
        """Find out what MLflow has of a run that was there before; False if it has what the journal does not say."""
        if known.start_ms != content.start_ms:
            return False
        if trial is None:
            known.markers = set()
            return True
        markers = markers_of(self._tracked, trial)
        told = (names.REPORTS, names.DECISIONS, names.HELD_OUT)
        there = names.of_json(known.tags)
        same = all(there.get(tag) == text for tag, text in content.tags.items() if tag.startswith(told))
        if same and markers.told_by(known.metrics):
            known.reports, known.markers = len(trial.reports), set(markers.points)
            return True
        found: list[tuple[str, int, int]] = []
        for name in sorted(markers.names | set(filter(is_marker, known.metrics))):
            self._pause()
            points = self._client.get_metric_history(known.run_id, name)
            found += [(name, point.step, point.timestamp) for point in points]
        known.reports, known.markers = 0, {(name, step) for name, step, _ in found}
        return markers.allow(found)

    def _missing_points(self, known: Known, trial: TrialState) -> list[list[MetricPoint]]:
        """Points of reports, rungs and test results that MLflow lacks."""
        there = known.markers or set()
        reports = report_points(self._tracked, trial, known.reports)
        missing = [points for points in reports if (points[-1].name, points[-1].step) not in there]
        return [*missing, *([p] for p in other_points(trial) if (p.name, p.step) not in there)]

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
        if content.status in FINAL:
            if (known.status, known.end_ms) != (content.status, content.end_ms):
                self._pause()
                self._client.set_terminated(known.run_id, status=content.status, end_time=content.end_ms)
        elif known.status != content.status:
            self._pause()
            self._client.update_run(known.run_id, status=content.status)
        known.status, known.end_ms = content.status, content.end_ms

    def _log_pages(self, known: Known) -> None:
        """The resolved sweep file, where artifacts can be reached from here."""
        if self._takes_artifacts(known):
            run = RunArtifacts(self._client, known.run_id, known.artifacts)
            if tags := log_sweep_file(run, self._tracked.state.header["spec"], known.tags, self._pause):
                self._log(known, [], {}, tags)

    def _log_report(self, known: Known) -> None:
        """The report as an artifact of the sweep's run; a store that refuses it costs a remark."""
        if self._folder is None or not self._takes_artifacts(known):
            return
        run = RunArtifacts(self._client, known.run_id, known.artifacts)
        tags, remark = log_report(run, self._folder, known.tags, self._pause)
        if remark is not None:
            self._remarks.append(remark)
        if tags:
            self._log(known, [], {}, tags)

    def _log_model(self, known: Known) -> None:
        """The chosen model, once the sweep has ended; a store that refuses it costs a remark."""
        if self._folder is None or self._tracked.live or not self._takes_artifacts(known):
            return
        state, sweep_id = self._tracked.state, self._tracked.sweep_id
        try:
            kept = KeptModel.chosen(state, self._folder)
            if kept is None or known.tags.get(names.MODEL) == kept.digest:
                return
            runs = {names.SWEEP: known.run_id, names.TRIAL: self._runs()[names.TRIAL, kept.trial.spec.trial].run_id}
            log_model(self._client, self._experiment, runs, state, kept, sweep_id, self._pause)
        except Exception as error:
            self._remarks.append(f"has no model: {told(error)}; `greenexp sync` tries again")
            return
        self._log(known, [], {}, {names.MODEL: kept.digest})

    def _log_data(self, known: Known, trial: TrialState | None) -> dict[str, str]:
        """The data sets of a run; a trial's where it is known which they are."""
        data = data_sets([session.data for session in self._tracked.state.sessions])
        if trial is not None and len(data) != 1:
            return {}
        spec = self._tracked.state.header["spec"] if trial is None else trial.spec.settings.to_json()
        return log_data_sets(self._client, known.run_id, spec["task"], data, known.tags, self._pause)

    def _described(self, known: Known, content: RunContent) -> dict[str, str]:
        """The description of the sweep's run, unless the user wrote another one, which is looked up anew."""
        if known.tags.get(names.NOTE) == content.note or not is_own(known.tags):
            return {}
        if names.NOTE in known.tags:
            self._pause()
            there = self._client.get_run(known.run_id).data.tags
            known.tags.update({names.NOTE: there[names.NOTE]} if names.NOTE in there else {})
            if not is_own(known.tags):
                return {}
        return {names.NOTE: content.note, names.DESCRIBED: mark_of(content.note)}

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
            return log_exits(run, self._folder, logits, state.policies, metric, names.present(known.tags), self._pause)
        except Exception:  # whatever it is, the journal and the logits are still there
            self._refused.add(key)
            return {}

    def _takes_artifacts(self, known: Known) -> bool:
        """Whether the run's artifacts can be reached from here.

        A server that keeps artifacts in a folder of its own would have us write into a folder of that name here.
        """
        reachable = ("mlflow-artifacts:",) if self._client.tracking_uri.startswith("http") else ("file:",)
        return known.artifacts.startswith(reachable)
