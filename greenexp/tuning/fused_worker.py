"""The actor that trains several seeds of one configuration as one model: `TrialTaker`s side by side."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from greenexp.errors import FusedMemoryError, abridged
from greenexp.meters import Meters
from greenexp.meters.shared import MemberMeters, SharedMeters
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.fused import FusedRuns, TrainedSeed
from greenexp.training.run import TrialRun
from greenexp.tuning.notices import LeavingNotice
from greenexp.tuning.taker import PausedTrial, TrialTaker, WorkerSettings
from greenexp.tuning.worker import LeanTrainable, begin_worker


class FusedTaker(TrialTaker):
    """One of the seeds: as a trial that has its worker to itself, but for the meters."""

    def __init__(
        self,
        settings: WorkerSettings,
        data: dict[str, PreparedTask],
        notice: LeavingNotice | None,
        config: Mapping[str, Any],
    ) -> None:
        self.equip(settings, data, notice)
        self._shared: SharedMeters | None = None
        self._member: MemberMeters | None = None
        self.take(config)

    @property
    def name(self) -> str:
        """Of its trial."""
        return self._trial.trial

    @property
    def run(self) -> TrialRun | None:
        """Of its trial, once it is built."""
        return self._run

    def built(self) -> dict[str, Any]:
        """No answer, after its run was built."""
        self._training()
        return {}

    def answer_to(self, outcome: TrainedSeed) -> dict[str, Any]:
        """The result. Raises what its training raised."""
        return self.answer(outcome.get())

    def process_meters(self) -> Meters:
        """Meters of the whole process, under the name of this trial."""
        return super()._meters()

    def share(self, meters: SharedMeters) -> None:
        """Have a part in these from now on."""
        self._shared, self._member = meters, meters.member()

    def _meters(self) -> Meters:
        """Its part, which a run closes; a run in the place of another one has a part of its own."""
        if self._shared is None:
            raise ValueError("no meters to have a part in")
        if self._member is None:
            self._member = self._shared.member()
        return self._member

    def drop(self) -> None:
        """Let go of the trial, and of its part of the meters, which no run may have come to have."""
        super().drop()
        if self._member is not None:
            self._member.close()
            self._member = None

    def fewer_at_once(self, error: FusedMemoryError, at_most: int) -> dict[str, Any]:
        """The answer where memory ran out: begun again from its last checkpoint, with fewer seeds as one model."""
        lost = dataclasses.asdict(self._training().repeated())
        self.drop()
        others = f"{at_most} seeds as one model" if at_most > 1 else "one seed after the other"
        reason = f"{error}; tried again with {others}, which changes its numbers by rounding alone"
        self._log(reason)
        found = {"reason": abridged(reason), "lost": lost, "at_once": None}
        return {"divided": json.dumps(found, allow_nan=False)}


class FusedWorker(LeanTrainable):
    """One slot of the sweep, with some seeds of one configuration at a time."""

    def setup(self, config: dict[str, Any], settings: WorkerSettings) -> None:
        """Ray's constructor: remember what all trials share, then take the first ones."""
        self.equip(settings, begin_worker(settings))
        self.take(config)

    def equip(self, settings: WorkerSettings, notice: LeavingNotice | None) -> None:
        """What all trials of the process share."""
        self._settings, self._notice = settings, notice
        self._data: dict[str, PreparedTask] = {}

    def take(self, config: Mapping[str, Any]) -> None:
        """Only note what to do: the models are built inside `step`."""
        members = json.loads(config["members"])
        self._takers = [FusedTaker(self._settings, self._data, self._notice, member) for member in members]
        self._at_most = len(members)
        self._group: tuple[SharedMeters, FusedRuns] | None = None
        self._paused: dict[str, PausedTrial] = {}
        self._saved_at = time.monotonic()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Drop the last trials and take others."""
        self._drop()
        self.take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train those that are furthest behind to their next report, or until all are to be saved.

        `trials`, a JSON text, holds by name the result of each that has one, as of `TrialTaker.step`.
        """
        answers: dict[str, dict[str, Any]] = {}
        runs: dict[TrialRun, FusedTaker] = {}
        _, group = self._opened()
        for one in self._open():
            answers[one.name] = one.guarded(one.built)
            if one.run is not None:
                runs[one.run] = one
        if runs:
            try:
                found = group.train_on(list(runs), self._is_save_due)
            except FusedMemoryError as error:
                return self._result(answers | self._fewer(runs.values(), error))
            for run, outcome in found.items():
                one = runs[run]
                answers[one.name] = one.guarded(functools.partial(one.answer_to, outcome))
        if any("saved" in answer for answer in answers.values()):
            self._saved_at = time.monotonic()
        if not self._open():
            self._close_group()
        return self._result(answers)

    def save_checkpoint(self, checkpoint_dir: str) -> None:  # noqa: ARG002 - Tune's folder is not used
        """Save each where a later session finds it. They go on as whatever the driver puts together then."""
        if self._open():
            self._opened()[0].settle()
        self._paused = {one.name: one.pause() for one in self._open()}
        self._close_group()

    def paused(self) -> tuple[tuple[str, PausedTrial], ...]:
        """See `LeanTrainable.paused`: pairs, as Tune would flatten a dict."""
        return tuple(self._paused.items())

    def cleanup(self) -> None:
        """Ray is done with this actor."""
        self._drop()
        self._settings.results.close()

    def _open(self) -> list[FusedTaker]:
        """Those that have not ended."""
        return [one for one in self._takers if not one.ended]

    def _opened(self) -> tuple[SharedMeters, FusedRuns]:
        """What trains them, with meters of which each has a part from now on."""
        if self._group is None:
            shared = SharedMeters(self._open()[0].process_meters())
            for one in self._open():
                one.share(shared)
            self._group = shared, FusedRuns(shared, self._at_most)
        return self._group

    def _close_group(self) -> None:
        """Let go of the stacked models, and give the counters back."""
        if self._group is not None:
            self._group[0].close()
            self._group = None

    def _fewer(self, takers: Iterable[FusedTaker], error: FusedMemoryError) -> dict[str, dict[str, Any]]:
        """The answers of those that were trained when memory ran out."""
        self._opened()[0].settle()
        self._at_most = max(1, error.seeds // 2)
        answers = {one.name: one.fewer_at_once(error, self._at_most) for one in takers}
        self._close_group()
        return answers

    def _is_save_due(self) -> bool:
        if self._notice is not None and self._notice.has_come():
            return True
        every_s = self._settings.checkpoint_every_s
        return every_s is not None and time.monotonic() - self._saved_at >= every_s

    def _result(self, answers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        halts = [answer["halt"] for answer in answers.values() if "halt" in answer]
        leaving = [answer.pop("leaving") for answer in answers.values() if "leaving" in answer]
        said = {name: answer for name, answer in answers.items() if answer}
        result: dict[str, Any] = {"trials": json.dumps(said, allow_nan=False)}
        return result | ({"halt": halts[0]} if halts else {}) | ({"leaving": leaving[0]} if leaving else {})

    def _drop(self) -> None:
        for one in self._takers:
            one.drop()
        self._close_group()
