"""Seeds of one configuration that share a worker: what the worker says, and what the driver makes of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from made_settings import made_settings
from stand_ins import a_record, a_trial
from told import tells

from greenexp.errors import FusedMemoryError
from greenexp.meters import open_meters
from greenexp.model import MultiExitModel
from greenexp.records.epoch import FUSED_SEEDS, Costs, EpochRecord
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.training import TrialRun
from greenexp.training.fused import FusedRuns
from greenexp.tuning import bridge
from greenexp.tuning.assignment import Assignment
from greenexp.tuning.bridge import Bridge, Feeder, TuneSession, WorkerEvents
from greenexp.tuning.checkpoints import checkpoint_folder
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.fused_worker import FusedTaker, FusedWorker
from greenexp.tuning.results import SharedResults
from greenexp.tuning.silence import Silence
from greenexp.tuning.taker import PausedTrial, WorkerSettings

FIFO = {"name": "fifo"}
HALVING = {"name": "sha", "reduction_factor": 3, "grace_period": 1}
SETTINGS = made_settings(
    task={"name": "clauses", "train": 48, "dev": 20, "test": 20},
    backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40},
    training={"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
)
SEEDS = [TrialSpec(f"c000-i{seed}-o0", "c000", seed, SETTINGS, {}, TrialSeeds(seed, 0)) for seed in range(3)]
NAMES = [spec.trial for spec in SEEDS]


# --------------------------------------------------------------------------------------------------------- the worker


@pytest.fixture
def make_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`make_worker(specs, every_s=None, checkpoints={})`: a worker that Ray did not start."""
    monkeypatch.setattr(FusedTaker, "process_meters", lambda _: open_meters(cpus=1, exclusive=False))
    made: list[Any] = []

    def make(specs: list[TrialSpec] = SEEDS, every_s: float | None = None, **checkpoints: str) -> Any:
        worker: Any = object.__new__(FusedWorker)
        shared = WorkerSettings(SharedResults(tmp_path), {}, 1, 0, True, Accounting(), checkpoint_every_s=every_s)
        worker.equip(shared, None)
        members = [
            {"trial": spec.trial, "spec": json.dumps(spec.to_json()), "attempt": 1, "data": "own",
             "checkpoint": checkpoints.get(spec.trial.replace("-", "_"))}
            for spec in specs
        ]  # fmt: skip
        worker.take({"members": json.dumps(members)})
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.cleanup()


def told(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result["trials"])
    return found


def records(result: dict[str, Any]) -> dict[str, EpochRecord]:
    return {name: EpochRecord.from_json(json.loads(own["record"])) for name, own in told(result).items()}


def test_a_worker_reports_each_seed(make_worker: Callable[..., Any], tmp_path: Path) -> None:
    worker = make_worker()
    first, second = records(worker.step()), records(worker.step())
    assert list(first) == list(second) == NAMES
    assert {record.epoch for record in first.values()} == {1}
    assert all(record.last and record.computed_with[FUSED_SEEDS] == "3" for record in second.values())
    assert {path.name for path in (tmp_path / "models").iterdir()} == set(NAMES)
    assert {path.stem for path in (tmp_path / "logs").iterdir()} == set(NAMES)


def test_what_was_paused_together_goes_on_apart(make_worker: Callable[..., Any], tmp_path: Path) -> None:
    whole = make_worker()
    whole.step()
    expected = records(whole.step())
    worker = make_worker()
    worker.step()
    worker.save_checkpoint("")
    paused: dict[str, PausedTrial] = dict(worker.paused())
    assert {name: (one.epoch, one.checkpoint) for name, one in paused.items()} == {
        name: (1, checkpoint_folder(name, 1)) for name in NAMES
    }
    checkpoints = {name.replace("-", "_"): one.checkpoint for name, one in paused.items()}
    found = records(make_worker(SEEDS[:2], **checkpoints).step()) | records(
        make_worker(SEEDS[2:], **checkpoints).step()
    )
    for name, record in expected.items():
        assert found[name].score == pytest.approx(record.score, abs=1e-5)
        assert found[name].train_loss == pytest.approx(record.train_loss, abs=1e-5)
    with TrialRun(SEEDS[0], _data()) as alone:
        alone.load(tmp_path / paused[NAMES[0]].checkpoint)
        assert next(alone).train_loss == pytest.approx(expected[NAMES[0]].train_loss, abs=1e-5)


def _data() -> Any:
    from greenexp.plan.data import prepare_data

    return prepare_data(SETTINGS)


def test_seeds_are_saved_while_they_train(make_worker: Callable[..., Any]) -> None:
    saved = told(make_worker(every_s=0.0).step())
    assert set(saved) == set(NAMES)
    found = [json.loads(own["saved"]) for own in saved.values()]
    assert [one["epoch"] for one in found] == pytest.approx([1 / 3] * 3)


def test_a_seed_that_fails_ends_alone(make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    worker = make_worker()
    begin = TrialRun.begin

    def broken(run: TrialRun) -> Any:
        if run.trial.trial == NAMES[1]:
            raise ValueError("its own trouble")
        return begin(run)

    monkeypatch.setattr(TrialRun, "begin", broken)
    found = told(worker.step())
    assert tells(json.loads(found[NAMES[1]]["failure"])["reason"], "ValueError … its own trouble")
    assert "record" in found[NAMES[0]]
    assert set(told(worker.step())) == {NAMES[0], NAMES[2]}


def test_a_lost_checkpoint_begins_anew_and_the_others_wait(make_worker: Callable[..., Any]) -> None:
    worker = make_worker()
    worker.step()
    worker.save_checkpoint("")
    kept = {name.replace("-", "_"): one.checkpoint for name, one in worker.paused()}
    again = make_worker(**{**kept, "c000_i1_o0": "checkpoints/nowhere"})
    first = told(again.step())
    assert list(first) == [NAMES[1]]
    assert "restarted" in first[NAMES[1]]
    assert set(told(again.step())) == set(NAMES)


def test_too_little_memory_means_fewer_as_one_model(
    make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = MultiExitModel.forward

    def short(model: MultiExitModel, tokens: Any, *exits: Any) -> Any:
        if len(tokens.input_ids) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(model, tokens, *exits)

    monkeypatch.setattr(MultiExitModel, "forward", short)
    worker = make_worker()
    found = told(worker.step())
    assert set(found) == set(NAMES)
    divided = json.loads(found[NAMES[0]]["divided"])
    assert divided["at_once"] is None
    assert tells(divided["reason"], "3 seeds")
    assert divided["lost"]["wall_s"] > 0
    steps = [set(told(worker.step())) for _ in range(3)]
    assert sorted(map(list, steps)) == [[name] for name in NAMES]


def test_an_error_of_memory_survives_the_way_to_the_driver() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(FusedMemoryError(4, "out of memory")))  # noqa: S301 - our own
    assert (error.seeds, error.told) == (4, "out of memory")
    assert FusedRuns.__doc__


# --------------------------------------------------------------------------------------------------------- the driver


class Tune:
    """Tune's part: its trials, each with what the feeder gave it."""

    def __init__(self, conductor: Conductor, workers: int) -> None:
        self.session = TuneSession(conductor)
        self.feeder, self.bridge = Feeder(self.session, fused=True), Bridge(self.session, workers)
        self.events = WorkerEvents(self.session)
        self.stopped: list[Any] = []

    def next(self) -> Any:
        config = self.feeder.suggest("any")
        if not isinstance(config, dict):
            return config
        trial = SimpleNamespace(config=config, status="RUNNING", latest_checkpoint_result=None, error_file=None)
        self.events.on_trial_start(0, [], trial)  # type: ignore[arg-type]
        return trial

    def report(self, trial: Any, epoch: int, score: float | None = None, **failures: str) -> str:
        """The epoch of all its seeds that have not ended."""
        results = {}
        for member in json.loads(trial.config["members"]):
            spec = TrialSpec.from_json(json.loads(member["spec"]))
            key = spec.trial.replace("-", "_")
            if self.session.conductor.state.trials[spec.trial].ended:
                continue
            if key in failures:
                results[spec.trial] = {"failure": json.dumps({"reason": failures[key], "lost": None})}
            else:
                results[spec.trial] = {"record": json.dumps(a_record(spec, epoch, score).to_json())}
        answer: str = self.bridge.on_trial_result(None, trial, {"trials": json.dumps(results)})
        return answer

    def pause(self, trial: Any, epoch: int, names: Sequence[str] | None = None) -> None:
        """All `names` are saved, None: those that have not ended."""
        states = self.session.conductor.state.trials
        saved = [name for name in trial.config["trials"] if not states[name].ended] if names is None else names
        costs = dataclasses.asdict(Costs(wall_s=0.0))
        pairs = tuple((name, PausedTrial(checkpoint_folder(name, epoch), None, costs, epoch)) for name in saved)
        trial.latest_checkpoint_result = SimpleNamespace(metrics={"greenexp_checkpoint": pairs})
        self.events.on_trial_save(0, [], trial)


def test_a_worker_gets_all_seeds_of_a_configuration(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=3, seeds=3, workers=2)
    tune = Tune(conductor, 2)
    first, second = tune.next(), tune.next()
    assert [trial.config["trials"] for trial in (first, second)] == [
        [f"c{number:03d}-i{seed}-o0" for seed in range(3)] for number in (0, 1)
    ]
    assert tune.next() is None, "both workers have one"
    assert conductor.state.trials["c001-i2-o0"].status == "running"


def test_seeds_end_together_or_one_by_one(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=3, workers=1)
    tune = Tune(conductor, 1)
    trial = tune.next()
    assert tune.report(trial, 1, c000_i1_o0="loss became nan at optimiser step 7") == "CONTINUE"
    for epoch in range(2, 9):
        assert tune.report(trial, epoch) == "CONTINUE"
    assert tune.report(trial, 9) == "STOP"
    statuses = [trial.status for trial in conductor.state.trials.values()]
    assert statuses == ["finished", "failed", "finished"]
    assert conductor.close() == "finished"


def test_nobody_waits_for_word_of_a_seed_that_ended(
    opened: Callable[..., Conductor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others train on for longer than the limit; only when they are silent is their worker ended."""
    tune, now_s, killed = Tune(opened(scheduler=FIFO, configurations=1, seeds=2, workers=1), 1), [0.0], []
    tune.session.silence = Silence(100.0, clock=lambda: now_s[0])
    trial = tune.next()
    controller = SimpleNamespace(get_live_trials=lambda: [trial])
    monkeypatch.setattr(bridge, "kill_worker", lambda _, trial: not killed.append(trial))
    for epoch in range(1, 7):
        now_s[0] += 30.0
        tune.report(trial, epoch, **({"c000_i1_o0": "loss became nan"} if epoch == 1 else {}))
        tune.bridge._give_up_silent(controller)
    assert not killed
    now_s[0] += 101.0
    tune.bridge._give_up_silent(controller)
    assert killed == [trial]
    assert list(tune.session.given_up) == ["c000-i0-o0"]


@pytest.mark.parametrize("best", ["c000", "c002"])
def test_a_pause_is_of_all_and_they_are_handed_out_anew(opened: Callable[..., Conductor], best: str) -> None:
    """The last configuration to come to the rung needs no pause, as all its seeds are there at once."""
    conductor = opened(scheduler=HALVING, configurations=3, seeds=2, workers=1)
    tune = Tune(conductor, 1)
    answers = []
    for number in range(3):
        trial = tune.next()
        answers.append(tune.report(trial, 1, score=0.9 if f"c{number:03d}" == best else 0.5))
        if answers[-1] == "PAUSE":
            tune.pause(trial, 1)
    assert answers == ["PAUSE", "PAUSE", "CONTINUE" if best == "c002" else "STOP"]
    statuses = {name: trial.status for name, trial in conductor.state.trials.items()}
    assert {name for name, status in statuses.items() if status != "stopped"} == {f"{best}-i0-o0", f"{best}-i1-o0"}
    if best == "c000":
        promoted = tune.next()
        assert promoted.config["trials"] == ["c000-i0-o0", "c000-i1-o0"]
        members = json.loads(promoted.config["members"])
        assert [one["checkpoint"] for one in members] == [checkpoint_folder(one["trial"], 1) for one in members]


def test_what_is_stopped_before_its_save_arrives_gives_its_worker_back(opened: Callable[..., Conductor]) -> None:
    """Tune saves while it takes other workers' reports, of which the last one of a rung stops who is to be saved."""
    conductor = opened(scheduler=HALVING, configurations=3, seeds=2, workers=3)
    tune = Tune(conductor, 3)
    trials = [tune.next() for _ in range(3)]
    answers = [tune.report(trial, 1, score) for trial, score in zip(trials, (0.5, 0.4, 0.9), strict=True)]
    assert answers == ["PAUSE", "PAUSE", "CONTINUE"]
    for trial in trials[:2]:
        tune.pause(trial, 1, trial.config["trials"])
        assert {conductor.state.trials[name].status for name in trial.config["trials"]} == {"stopped"}
    assert conductor.live == set(trials[2].config["trials"])


def test_a_limit_that_is_reached_between_two_seeds_pauses_both(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=2, workers=1, limits={"epochs": 5.0})
    tune = Tune(conductor, 1)
    trial = tune.next()
    assert tune.report(trial, 1) == "CONTINUE"
    assert tune.report(trial, 2) == "PAUSE"
    tune.pause(trial, 2)
    while isinstance(rest := tune.next(), SimpleNamespace):
        assert rest.config["trials"] == ["c000-i0-o0"], "one epoch is left, which is for one of them"
        assert tune.report(rest, 3) == "PAUSE"
        tune.pause(rest, 3)
    assert conductor.limit is not None
    assert sum(len(trial.records) for trial in conductor.state.trials.values()) == 5


def test_a_limit_on_trials_cuts_the_group(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=2, seeds=3, workers=1, limits={"trials": 2.0})
    assert Tune(conductor, 1).next().config["trials"] == ["c000-i0-o0", "c000-i1-o0"]


def test_a_dead_worker_hands_all_of_its_seeds_out_again(opened: Callable[..., Conductor], tmp_path: Path) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=2, workers=1)
    tune = Tune(conductor, 1)
    trial = tune.next()
    tune.report(trial, 1)
    tune.events.on_trial_error(0, [], trial)
    assert {one.status for one in conductor.state.trials.values()} == {"interrupted"}
    again = tune.next()
    assert [member["attempt"] for member in json.loads(again.config["members"])] == [2, 2]
    (tmp_path / "error.txt").write_text("ray.exceptions.OutOfMemoryError: Task was killed")
    again.error_file = str(tmp_path / "error.txt")
    conductor.max_failures = 9
    tune.events.on_trial_error(0, [], again)
    apart = tune.next()
    assert apart.config["trials"] == ["c000-i0-o0"], "together they had too little memory"
    assert json.loads(apart.config["members"])[0]["at_once"] is None


def test_ctrl_c_pauses_and_a_later_session_goes_on_with_all(opened: Callable[..., Conductor]) -> None:
    tune = Tune(opened(scheduler=FIFO, configurations=1, seeds=5, workers=1), 1)
    trial = tune.next()
    tune.session.conductor.drain()
    assert tune.report(trial, 1) == "PAUSE"
    tune.pause(trial, 1)
    tune.session.conductor.close()
    later = Tune(opened(scheduler=FIFO, configurations=1, seeds=5, workers=1), 1)
    assert later.next().config["trials"] == [f"c000-i{seed}-o0" for seed in range(5)]


def test_seeds_at_other_places_or_in_smaller_batches_go_alone(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=3, workers=3)
    first = conductor.next_trial()
    assert isinstance(first, Assignment)
    name = first.spec.trial
    conductor.reserve(name)
    conductor.started(name, 1, 0)
    conductor.paused(name, 1, 1, "checkpoints/x", {"wall_s": 0.0}, parked=False)
    tune = Tune(conductor, 3)
    groups = [tune.next().config["trials"], tune.next().config["trials"]]
    assert groups == [["c000-i0-o0"], ["c000-i1-o0", "c000-i2-o0"]]


def test_a_single_seed_is_a_group_of_one(opened: Callable[..., Conductor]) -> None:
    tune = Tune(opened(scheduler=FIFO, configurations=2, seeds=1, workers=1), 1)
    trial = tune.next()
    assert trial.config["trials"] == ["c000-i0-o0"]
    assert tune.report(trial, 1) == "CONTINUE"
    assert dataclasses.asdict(a_trial(0, 0, 1).seeds) == {"initialisation": 0, "order": 0}
