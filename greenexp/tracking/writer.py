"""The writer: a thread on the driver that follows the journal and keeps MLflow level.

Trials and driver never wait for it. When MLflow is slow, gone or failing it waits a little longer each time and looks
again; what could not be written is in the journal, and `greenexp sync` brings MLflow level later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from greenexp.errors import GreenexpError, TrackingError
from greenexp.tracking.follow import Follower, only_one
from greenexp.tracking.server import prepare, sqlite_file, told

POLL_S = 1.0
"""What was reported meanwhile goes out in one call per trial: a call costs the driver about 10 ms of CPU."""
SWEEP_RUN_S = 10.0
"""How often the sweep's own run gets its elapsed time anew."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LOCK_S = 5.0


class _GiveUp(BaseException):
    """The driver is leaving and waits no longer. Not an Exception: nothing on the way may swallow it."""


class Tracker:
    """Writes the sweep in `folder` to the MLflow at `uri` for as long as it is started.

    experiment: its name, by default the sweep's
    remark: told, from the writer's thread, what the user should know and what stops nothing
    Everything that may have to wait for MLflow, the first connection too, is done in a thread that ends with the
    process: nobody waits for it but `wait_for_database` and `stop`.
    """

    def __init__(
        self, folder: Path, uri: str, experiment: str | None = None, remark: Callable[[str], None] = lambda _: None
    ) -> None:
        self._follower = Follower(folder, uri, experiment, pause=self._check, leads=True)
        self._remark = remark
        self._begun = threading.Event()
        self._stopping = threading.Event()
        self._ended: float | None = None
        self._deadline: float | None = None
        self._level = False
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="greenexp-tracking", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why MLflow is behind, or None while it follows."""
        return self._problem

    def start(self) -> None:
        """Begin to follow the journal, which need not exist yet."""
        self._thread.start()

    def wait_for_database(self) -> None:
        """Return once a SQLite file was made or could not be; at any other address nothing is waited for.

        Two processes that open a new file together damage it, so it is there before any worker starts.
        """
        if sqlite_file(self._follower.uri) is not None:
            self._begun.wait()

    def session_ended(self) -> None:
        """The journal has its last event: what `stop` may take counts from now, the report being written included."""
        self._ended = time.monotonic()

    def stop(self, timeout_s: float, *, least_s: float = 0.0) -> bool:
        """Write what is left, the report in `folder` too, and return True if MLflow is level.

        Call it after the journal's last event. It returns at the latest `timeout_s` seconds after `session_ended`, or
        after now if that was not said, or `least_s` seconds after now if that is later. If it returns False,
        `greenexp sync` writes the rest.
        """
        now = time.monotonic()
        began = now if self._ended is None else self._ended
        self._deadline = max(began + timeout_s, now + least_s)
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(self._deadline - now)
        return self._level and not self._thread.is_alive()

    def _check(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise _GiveUp

    def _run(self) -> None:
        try:
            self._begin()
            with only_one(self._follower.folder, self._follower.uri, LOCK_S):
                self._follow()
        except _GiveUp:
            self._problem = self._problem or "MLflow is too slow; the rest was left for `greenexp sync`"
        except GreenexpError as error:
            self._problem = str(error)
        except Exception as error:  # a bug here must not be silent, and must not end the sweep either
            self._problem = f"{type(error).__name__}: {told(error)}"
        finally:
            self._begun.set()

    def _begin(self) -> None:
        """Make the database and the experiment; where MLflow does not answer, this is told once and tried again."""
        if self._follower.experiment is None:
            return
        try:
            prepare(self._follower.uri, self._follower.experiment)
        except TrackingError as error:
            self._problem = str(error)
            self._remark(f"does not answer: {error}; the sweep goes on without it")
        finally:
            self._begun.set()

    def _follow(self) -> None:
        wait_s, sweep_run_at = FIRST_WAIT_S, time.monotonic()
        while True:
            stopping = self._stopping.is_set()  # before reading: events of before `stop` are then all read
            now = time.monotonic()
            with_sweep = stopping or now >= sweep_run_at
            try:
                if self._follower.read() or with_sweep or self._problem:
                    self._follower.write_changes(with_sweep=with_sweep, with_report=stopping)
                    self._follower.leave_earlier_places()
            except GreenexpError as error:
                self._problem = str(error)
                if stopping:
                    return
                self._stopping.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            self._problem, wait_s = None, FIRST_WAIT_S
            for text in self._follower.new_remarks():
                self._remark(text)
            if stopping:
                self._level = True
                return
            if with_sweep:
                sweep_run_at = now + SWEEP_RUN_S
            self._stopping.wait(POLL_S)
