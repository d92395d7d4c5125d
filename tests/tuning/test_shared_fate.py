"""Trials that share a GPU through MPS: which errors end their workers, and what the driver makes of such deaths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stand_ins import a_trial
from told import tells

from greenexp.errors import SharedFaultError, TrialError
from greenexp.records.sections import Accounting
from greenexp.records.shared_failure import SharedFailure
from greenexp.tuning import bridge
from greenexp.tuning.bridge import Bridge, Feeder, TuneSession, WorkerEvents
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.faults import fault_in
from greenexp.tuning.results import SharedResults
from greenexp.tuning.shared_fate import GATHERED_S, RECOVERING_S, SharedFate
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import TrialWorker

MADE = "CUDA error: an illegal memory access was encountered"
ENDED = "CUDA error: the MPS client has been terminated by the server"
RECOVERS = "CUDA error: MPS server is not ready to accept new MPS client requests"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (MADE, True),
        ("AcceleratorError: CUDA error: unspecified launch failure\nCUDA kernel errors might be …", True),
        ("CUDA error: device-side assert triggered", True),
        (ENDED, False),
        (RECOVERS, False),
        ("CUDA error: the remote procedural call between the MPS server and the MPS client failed", False),
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(…)`", False),
        ("CUDA out of memory. Tried to allocate 2 GiB", None),
        ("ValueError: misaligned address in the file of words", None),
        ("CUDA error: the hardware resources required to create MPS client have been exhausted", None),
        ("", None),
    ],
)
def test_errors_of_lost_gpus_are_known_by_their_text(text: str, made: bool | None) -> None:
    found = fault_in(f"Traceback (most recent call last):\n{text}\n")
    assert (None if found is None else found.made) is made


@pytest.fixture
def make_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`make_worker(mps)`: a worker that Ray did not start, on GPU 3."""
    monkeypatch.setattr("ray.get_gpu_ids", lambda: [3])

    def make(mps: bool) -> Any:
        made: Any = object.__new__(TrialWorker)
        made._settings = WorkerSettings(SharedResults(tmp_path), {}, 1, 0.5, False, Accounting(), mps=mps)
        made._trial, made._run = a_trial(0, 0, 1), None
        return made

    return make


@pytest.mark.parametrize("act", ["step", "pause"])
def test_a_worker_dies_of_a_lost_gpu(make_worker: Callable[..., Any], act: str) -> None:
    worker = make_worker(True)
    for raised in (RuntimeError(f"{ENDED}\nFor debugging …"), TrialError(f"step 3: {ENDED}")):
        worker._training = lambda raised=raised: (_ for _ in ()).throw(raised)
        with pytest.raises(SharedFaultError) as told:
            getattr(worker, act)()
        assert tells(str(told.value), f"GPU 3: … {ENDED}")
        assert "debugging" not in str(told.value)


def test_other_errors_and_unshared_gpus_end_the_trial_alone(make_worker: Callable[..., Any]) -> None:
    for mps, text in ((True, "the shapes differ"), (False, MADE)):
        worker = make_worker(mps)
        worker._training = lambda text=text: (_ for _ in ()).throw(RuntimeError(text))
        assert tells(json.loads(worker.step()["failure"])["reason"], text)


class Driver:
    """Tune's part, for trials of two workers and more on two GPUs."""

    def __init__(self, conductor: Conductor, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.conductor, self.folder, self.now_s, self.ended_idle = conductor, folder, 0.0, 0
        self.session = TuneSession(conductor)
        self.session.fate = SharedFate(conductor, lambda: self.now_s)
        self.events, self.bridge = WorkerEvents(self.session), Bridge(self.session, conductor.workers)
        monkeypatch.setattr(bridge, "end_idle_workers", self._end_idle)

    def _end_idle(self, _: Any) -> None:
        self.ended_idle += 1

    def start(self, count: int) -> list[str]:
        names = []
        for _ in range(count):
            given: Any = self.conductor.next_trial()
            names.append(given.spec.trial)
            self.session.attempts[names[-1]] = given.attempt
            self.conductor.started(names[-1], given.attempt, 0)
        return names

    def die(self, name: str, text: str, gpu: int | None = 0) -> None:
        own = text if gpu is None else f"greenexp.errors.SharedFaultError: GPU {gpu}: AcceleratorError: {text}"
        account = self.folder / name
        account.write_text(f"ray::TrialWorker.train()\ntorch.AcceleratorError: {text}\nthe above caused:\n{own}\n")
        trial: Any = SimpleNamespace(config={"trials": [name]}, error_file=str(account))
        self.events.on_trial_error(0, [], trial)

    def look(self) -> None:
        tune = SimpleNamespace(
            get_live_trials=list, get_trials=list, request_stop_experiment=lambda: None, stop_trial=lambda _: None
        )
        self.bridge.choose_trial_to_run(tune)

    @property
    def incidents(self) -> list[SharedFailure]:
        return self.conductor.state.shared_failures

    def deaths(self) -> dict[str, int]:
        return {name: count for name, count in self.conductor._deaths.items() if count}


@pytest.fixture
def begin(opened: Callable[..., Conductor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Driver]:
    def open_driver(workers: int) -> Driver:
        conductor = opened(scheduler={"name": "fifo"}, configurations=6, seeds=1, workers=workers)
        return Driver(conductor, tmp_path, monkeypatch)

    return open_driver


def test_one_incident_is_one_event_and_counts_for_who_made_it(begin: Callable[[int], Driver]) -> None:
    driver = begin(3)
    first, second, third = driver.start(3)
    driver.die(second, ENDED)
    driver.look()
    assert (driver.incidents, driver.ended_idle) == ([], 1), "the others may have died of the same fault"
    assert driver.conductor.live == {first, second, third}, "nothing new is begun meanwhile"
    driver.die(first, MADE)
    driver.die(third, ENDED, gpu=None)
    driver.look()
    (told,) = driver.incidents
    assert (told.device, told.trials, told.counted) == ("GPU 0", (second, first, third), (first,))
    assert tells(told.reason, MADE)
    assert driver.deaths() == {first: 1}
    trials = driver.conductor.state.trials
    assert {trials[name].status for name in (first, second, third)} == {"interrupted"}
    assert [tells(trials[name].reason, "not counted") for name in (first, second, third)] == [False, True, True]
    assert driver.start(3) == [first, second, third], "they are handed out again"
    assert SharedFailure.from_json(json.loads(json.dumps(told.to_json()))) == told


def test_it_counts_for_all_where_no_error_says_who_made_it(begin: Callable[[int], Driver]) -> None:
    driver = begin(2)
    names = driver.start(2)
    for round_ in range(2):
        for name in names:
            driver.die(name, ENDED)
        driver.look()
        driver.now_s += RECOVERING_S
        assert driver.deaths() == dict.fromkeys(names, round_ + 1)
        if round_ == 0:
            assert driver.start(2) == names
    assert len(driver.incidents) == 2
    assert {driver.conductor.state.trials[name].status for name in names} == {"failed"}


def test_gpus_have_incidents_of_their_own_which_do_not_wait_for_ever(begin: Callable[[int], Driver]) -> None:
    driver = begin(3)
    first, second, _ = driver.start(3)
    driver.die(first, MADE, gpu=0)
    driver.now_s += GATHERED_S - 1
    driver.die(second, MADE, gpu=1)
    driver.look()
    assert not driver.incidents
    driver.now_s += 1
    driver.look()
    assert [told.trials for told in driver.incidents] == [(first,)]
    driver.session.fate.look(over=True)  # type: ignore[union-attr]
    assert [told.device for told in driver.incidents] == ["GPU 0", "GPU 1"]


def test_a_server_that_recovers_is_part_of_the_incident(begin: Callable[[int], Driver]) -> None:
    driver = begin(1)
    (name,) = driver.start(1)
    driver.die(name, MADE)
    driver.look()
    for passed_s, incidents, deaths in ((1.0, 1, 1), (RECOVERING_S, 2, 2)):
        driver.now_s += passed_s
        assert driver.start(1) == [name]
        driver.die(name, RECOVERS)
        driver.look()
        assert (len(driver.incidents), driver.deaths()) == (incidents, {name: deaths})
    assert driver.conductor.state.trials[name].status == "failed"


def test_an_incident_ends_though_tune_only_asks_for_the_next_trial(begin: Callable[[int], Driver]) -> None:
    driver = begin(1)
    (name,) = driver.start(1)
    driver.die(name, MADE)
    given: Any = Feeder(driver.session).suggest("any")
    assert given["trials"] == [name]
    driver.look()
    assert (len(driver.incidents), driver.ended_idle) == (1, 1)


def test_a_death_of_another_kind_is_none_of_it(begin: Callable[[int], Driver]) -> None:
    driver = begin(1)
    (name,) = driver.start(1)
    driver.die(name, "the worker was killed", gpu=None)
    assert tells(driver.conductor.state.trials[name].reason, "the worker died: the worker was killed")
    assert not driver.incidents
    assert driver.deaths() == {name: 1}
