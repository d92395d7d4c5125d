"""A process of a private Ray that dies: one line, and an end with a code of its own."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest
from told import tells

from greenexp.tuning.dead_ray import BROKEN_OFF, dead_processes, watched_ray
from greenexp.tuning.run import sigterm_as_ctrl_c


def test_a_dead_process_is_named_once_and_the_driver_ends() -> None:
    told: list[str] = []
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with watched_ray(told.append, lambda: ["raylet"], end, poll_s=0.001):
        assert ended.wait(30)
    assert codes == [BROKEN_OFF]
    assert len(told) == 1
    assert tells(told[0], "raylet … --resume")


def test_a_closed_terminal_does_not_keep_the_driver() -> None:
    ended = threading.Event()

    def tell(_: str) -> None:
        raise BrokenPipeError

    with watched_ray(tell, lambda: ["gcs_server"], lambda _: ended.set(), poll_s=0.001):
        assert ended.wait(30)


def test_a_ray_that_lives_or_is_somebody_elses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import worker

    class Node:
        dead: tuple[tuple[str, Any], ...] = (("log_monitor", None),)
        killed = False

        def dead_processes(self) -> Any:
            return self.dead

        def kill_all_processes(self, **_: bool) -> None:
            self.killed = True

    node = Node()
    monkeypatch.setattr(worker, "_global_node", node)
    assert (dead_processes(), node.killed) == ([], False)
    node.dead = (("gcs_server", None), ("raylet", None))
    assert (dead_processes(), node.killed) == (["gcs_server", "raylet"], True)
    monkeypatch.setattr(worker, "_global_node", None)
    assert dead_processes() == []


def test_a_sigterm_outside_of_training_is_a_ctrl_c_whatever_ray_has_set() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_as_ctrl_c() as take:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as ray.init sets its own
        take()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
