"""The further processes of a worker whose trials are trained by several: actors beside it, in its trial's resources."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from greenexp.errors import GreenexpError, LostProcessError, TrialError
from greenexp.meters.measure import MeterReading, Meters
from greenexp.meters.summed import SILENT
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.companion import CompanionRun
from greenexp.training.processes import TrialProcesses
from greenexp.tuning.rendezvous import MeetingPlace, joined_store, meet, open_store
from greenexp.tuning.taker import TrialTaker, WorkerSettings
from greenexp.tuning.worker import begin_worker

_ANSWER_S = 10.0
"""A process that has nothing to train answers within milliseconds."""
_END_S = 120.0
"""All have made their last step, and the first has made its report besides."""


class Companion(TrialTaker):
    """An actor: one further process. What goes wrong in it is said by the trial's first process."""

    _run: CompanionRun | None
    _processes: TrialProcesses

    def __init__(self, settings: WorkerSettings) -> None:
        self.equip(settings, {}, begin_worker(settings))

    def join(self, place: MeetingPlace, number: int, size: int) -> None:
        """Meet the other processes."""
        gpus, own = self._settings.gpus, ray.util.get_node_ip_address()
        self._processes = meet(joined_store(place), number, size, own_address=own, nccl=gpus >= 1)

    def begin(self, config: Mapping[str, Any]) -> None:
        """Build a trial's run. Raises what makes that impossible."""
        self.drop()
        self.take(config)
        self._training()

    def train_along(self) -> None:
        """See `CompanionRun.train_along`. Raises what ended the training."""
        if self._run is None:
            with self._processes.together():  # else the first process would wait for it
                raise TrialError("no trial was begun")
        self._run.train_along(self.is_leaving)

    def read(self) -> MeterReading:
        """What it used since it was last asked."""
        return MeterReading(SILENT.costs) if self._run is None else self._run.meters.read()

    def is_leaving(self) -> bool:
        """Whether its node will be taken away."""
        return self._notice is not None and self._notice.has_come()

    def _made(self, data: PreparedTask, meters: Meters) -> CompanionRun:
        shared = self._settings
        return CompanionRun(
            self._trial,
            data,
            threads=shared.threads,
            meters=meters,
            at_once=self._at_once,
            processes=self._processes,
        )

    def _go_on(self) -> None:
        """It is handed what the first process has loaded."""

    def _log(self, text: str) -> None:
        """The first process writes the trial's log."""


class Companions:
    """All further processes of a worker, as it sees them; started at once, and ended by `close` or with the worker."""

    def __init__(self, settings: WorkerSettings) -> None:
        size, address = settings.processes, ray.util.get_node_ip_address()
        group = ray.util.get_current_placement_group()
        actor = ray.remote(Companion)
        self._actors = [
            actor.options(
                num_cpus=settings.threads,
                num_gpus=settings.gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number),
            ).remote(settings)
            for number in range(1, size)
        ]
        self._training: list[ray.ObjectRef] = []
        self._answers(actor.is_leaving.remote() for actor in self._actors)  # all are up
        store, place = open_store(address)
        joining = [actor.join.remote(place, number, size) for number, actor in enumerate(self._actors, start=1)]
        try:
            self.processes = meet(store, 0, size, own_address=address, nccl=settings.gpus >= 1)
        except LostProcessError as error:
            raise self._known(joining) or error from error
        self._answers(joining)

    def begin(self, config: Mapping[str, Any]) -> Sequence[ray.ObjectRef]:
        """Let them build their runs of a trial; `built` waits for it."""
        return [actor.begin.remote(config) for actor in self._actors]

    def built(self, begun: Sequence[ray.ObjectRef]) -> None:
        """Raises what a process could not be built for."""
        self._answers(begun)

    def train(self) -> None:
        """Let them train to the next report, as this process does now."""
        self._training = [actor.train_along.remote() for actor in self._actors]

    def trained(self) -> None:
        """After this process has trained: all have."""
        try:
            self._answers(self._training, timeout_s=_END_S)
        except GetTimeoutError as error:
            raise LostProcessError("another process of the trial does not come to the end of its training") from error
        self._training = []

    def why_lost(self, error: LostProcessError) -> LostProcessError:
        """What this process noticed, or what Ray knows of it, as that a node ran out of memory."""
        return self._known(self._training) or error

    def readings(self) -> list[MeterReading]:
        """What each used since it was last asked."""
        return [self._reading(asked) for asked in [actor.read.remote() for actor in self._actors]]

    def is_leaving(self) -> bool:
        """Whether the node of one of them will be taken away."""
        return any(self._answers(actor.is_leaving.remote() for actor in self._actors))

    def leave(self) -> bool:
        """Let them let go of the trial; False where one does not answer, or its training did not end well."""
        try:
            ray.get([*self._training, *(actor.drop.remote() for actor in self._actors)], timeout=_ANSWER_S)
        except (RayError, GreenexpError):
            return False
        return True

    def close(self) -> None:
        """End them."""
        try:
            with contextlib.suppress(RuntimeError):  # what torch says of a group that has lost its members
                self.processes.close()  # first: to leave those that are gone takes longer
        finally:
            for actor in self._actors:
                ray.kill(actor)

    def _answers(self, asked: Any, timeout_s: float | None = None) -> list[Any]:
        """Of all of them. Raises LostProcessError where one is gone, and their own errors as they raised them."""
        try:
            found: list[Any] = ray.get(list(asked), timeout=timeout_s)
        except RayActorError as error:
            raise LostProcessError(f"another process of the trial has died{_cause(error)}") from error
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception):
                raise cause from error
            raise
        return found

    def _known(self, asked: Sequence[ray.ObjectRef]) -> LostProcessError | None:
        """What Ray or one of them says of a process that is lost; None where nobody knows of one."""
        try:
            self._answers(asked, timeout_s=_ANSWER_S)
        except LostProcessError as known:
            return known
        except (RayError, GreenexpError):
            pass
        return None

    def _reading(self, asked: ray.ObjectRef) -> MeterReading:
        try:
            reading: MeterReading = ray.get(asked, timeout=_ANSWER_S)
        except (RayError, GreenexpError):
            return SILENT
        return reading


def _cause(error: RayActorError) -> str:
    """The error of ours that ended it, if it was one: the driver knows by it what is no trial's fault."""
    lines = [line.strip() for line in str(error).splitlines()]
    own = (line for line in reversed(lines) if line.startswith("greenexp.errors."))
    return next((f": {line.removeprefix('greenexp.errors.')}" for line in own), "")
