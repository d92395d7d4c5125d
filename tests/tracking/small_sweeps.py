"""Journals of small sweeps, written by the real `Journal` with a clock that ticks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from made_settings import made_settings

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.records.energy import EnergyMeasurement, MeteredDevice
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.shared_failure import SharedFailure
from greenexp.records.trial import TrialSeeds, TrialSpec

BEGAN = 1_790_000_000.123457
SPEC: dict[str, Any] = {
    "name": "smoke",
    "task": {"name": "clauses", "train": 2000, "note": "é中"},
    "metric": {"name": "accuracy", "exit": "mean", "mode": "max"},
    "training": {"epochs": 9, "learning_rate": 1e-3, "weight_decay": 0.01, "micro_batch_size": None},
    "search": {"name": "random", "samples": 3, "seed": 0},
    "space": {"training.learning_rate": {"dist": "loguniform", "low": 3e-4, "high": 3e-3}},
    "budget": {"wall_s": 300.0, "energy_j": 1.8e6},
    "tracking": {"enabled": True, "uri": None, "experiment": None},
}


PRICE = {"wall_s": {"low": 100 / 3, "expected": 41.5, "high": 50.0, "source": "2 trials of é"}}


def ticking(start: float = BEGAN, step: float = 0.734521) -> Callable[[], float]:
    """A clock that gains `step` seconds whenever it is looked at."""
    now = [start]

    def clock() -> float:
        now[0] += step
        return now[0]

    return clock


def trial_spec(configuration: int, seed: int, **training: Any) -> TrialSpec:
    searched = {"training.learning_rate": 1e-3 / (configuration + 3), "method.weights": ["uniform", "linear"][seed % 2]}
    settings = made_settings(
        task={"name": "clauses", "columns": ["a", "b"], "note": "é中"},
        method={"name": "branchynet", "weights": searched["method.weights"]},
        metric=SPEC["metric"],
        training={**SPEC["training"], "learning_rate": searched["training.learning_rate"], **training},
    )
    name = f"c{configuration:03d}"
    return TrialSpec(
        f"{name}-i{seed}-o0", name, 2 * configuration + seed, settings, searched, TrialSeeds(11 + seed, 2**32 - 1)
    )


def record(epoch: int, *, value: float = 0.0, exits: int = 3, last: bool = False, **changes: Any) -> EpochRecord:
    """A report with awkward floats, an undefined metric, and energy not measured."""
    score = 0.1 * epoch + value / 3
    scores = tuple(
        ExitScore(
            exit=number,
            layer=2 * number,
            metrics={"loss": 1 / (epoch + number), "accuracy": score / number, "f1": None if number == 1 else 1 / 3},
            inference_flops=1e9 * number / 7,
        )
        for number in range(1, exits + 1)
    )
    fields: dict[str, Any] = {
        "epoch": epoch, "step": 63 * epoch, "examples": 2000, "train_loss": 2 / 3 / epoch,
        "learning_rate": 1e-3 / epoch, "score": score, "best_score": score, "exits": scores,
        "costs": Costs(1.1 / 3, 0.3, None, 1e12 / 3, 2e11, None, None, 0.1 + 0.2, 2**31 + 1.0),
        "not_measured": {"energy_j": "no counter could be read", "gpu_s": "no GPU"},
        "computed_with": {"precision": "bf16" if epoch < 3 else "fp32", "device": "cpu", "notes": "é"},
        "dev_logits": f"{epoch:064x}", "last": last, "encoder_layers": 7, "parameters": 16_777_217,
    }  # fmt: skip
    return EpochRecord(**{**fields, **changes})


class Sweep:
    """Writes the events a driver writes."""

    def __init__(self, folder: Path, clock: Callable[[], float] | None = None, **header: Any) -> None:
        self.journal = Journal(folder / NAME, clock or ticking())
        if not self.journal.events:
            spec = {**SPEC, **header}
            self.journal.append("sweep", format=FORMAT, name=spec["name"], fingerprint="f" * 64, spec=spec)

    def __enter__(self) -> Sweep:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def session(self, number: int = 1) -> None:
        versions = {"greenexp": "0.1.0", "torch": "2.13.0"}
        self.journal.append(
            "session", number=number, versions=versions, measures={"energy_j": "no counter"}, price=PRICE
        )

    def plan(self, *specs: TrialSpec) -> None:
        for spec in specs:
            self.journal.append("trial", spec=spec.to_json())

    def start(self, trial: str, attempt: int = 1, after: int = 0) -> None:
        self.journal.append("started", trial=trial, attempt=attempt, after=after)

    def report(self, trial: str, epoch: int, attempt: int = 1, **how: Any) -> None:
        self.journal.append("report", trial=trial, attempt=attempt, record=record(epoch, **how).to_json())

    def decide(self, trial: str, action: str, rung: int | None, **how: Any) -> None:
        fields = {"value": 0.5, "cutoff": None, "bracket": 0, "reason": "", **how}
        self.journal.append("decision", trial=trial, action=action, rung=rung, **fields)

    def meter(self, *devices: MeteredDevice) -> None:
        self.journal.append("energy", devices=[device.to_json() for device in devices])

    def measure(self, trained: str, answering: str) -> None:
        alone = EnergyMeasurement(trained, "training", "", 1, 301.5, 40 / 3, 12.5, 6000, "é", reproduced=True)
        answered = EnergyMeasurement(answering, "inference", "entropy:0.3", 1, 1e-3 / 3, 13.0, 5.0, 128, "é")
        self.journal.append("measured", measurements=[alone.to_json(), answered.to_json()])
        self.journal.append("measured", measurements=[dataclasses.replace(alone, repeat=2).to_json()])

    def fault(self, *trials: str) -> None:
        told = SharedFailure("GPU 0", trials, trials[:1], "é misaligned address")
        self.journal.append("shared_failure", **told.to_json())

    def test(self, trial: str, epoch: int, score: float) -> None:
        exits = record(epoch).exits
        held_out = HeldOutRecord(epoch, 211, score, exits, logits=f"{epoch:064x}")
        self.journal.append("held_out", trial=trial, record=held_out.to_json())


def metered(span: str, device: str, meter_j: float) -> MeteredDevice:
    """A meter's account; without idle power where it is 0."""
    parts = (meter_j / 2, meter_j / 3, meter_j / 6)
    idle = (meter_j / 70, "no trial", 2.125) if meter_j else (None, "", None)
    return MeteredDevice("9f", span, device, "RAPL, packages", 61.5, meter_j, *parts, *idle, 0.5, 123, 1, 0.1 + 0.2)


def short_of_memory(sweep: Sweep, trial: str) -> None:
    """A trial that is repeated with smaller micro-batches, and ended by the budget."""
    sweep.journal.append("limit", axis="wall_s", used=301.5, limit=300.0)
    sweep.journal.append(
        "ended", trial=trial, status="interrupted", reason="é out of memory", lost_wall_s=0.0, micro_batch_size=8
    )
    sweep.start(trial, attempt=3, after=0)
    sweep.report(
        trial,
        1,
        attempt=3,
        computed_with={
            "precision": "fp32",
            "device": "cpu",
            "micro_batch_size": "8",
            "fused_seeds": "2",
            "processes": "2",
            "dropout_masks": "each process draws its own",
        },
    )
    sweep.journal.append("ended", trial=trial, status="interrupted", reason="the budget was used up", lost_wall_s=0.0)


def standard_events(sweep: Sweep) -> Iterator[None]:
    """A sweep with everything: stop, pause, crash and repeat, failure, a trial that never starts, two sessions."""
    first, second, third, fourth, fifth, never = (trial_spec(c, s) for c in range(3) for s in range(2))
    sweep.session()
    sweep.journal.append("earlier", configurations=[])
    sweep.plan(first, second, third, fourth, fifth, never)
    yield
    sweep.start(first.trial)
    sweep.start(second.trial)
    sweep.report(first.trial, 1, value=0.2)
    sweep.decide(first.trial, "pause", 1, value=1 / 3)
    yield
    sweep.journal.append("paused", trial=first.trial, epoch=1, checkpoint="checkpoints/x")
    sweep.report(second.trial, 1, dev_logits=None)
    sweep.decide(second.trial, "stop", 1, value=0.1, cutoff=0.2, reason="below the cutoff of rung 1")
    sweep.decide(first.trial, "go_on", 1, value=1 / 3, cutoff=0.2, front=1, place=2)
    yield
    sweep.start(first.trial, after=1)
    sweep.start(third.trial)
    sweep.report(first.trial, 2, exits=2, not_measured={"energy_j": "the counter went away"})
    sweep.report(third.trial, 1)
    sweep.report(third.trial, 2)
    sweep.fault(third.trial, first.trial)
    sweep.journal.append("ended", trial=third.trial, status="interrupted", reason="worker died", lost_wall_s=2.5)
    yield
    sweep.start(third.trial, attempt=2, after=0)
    sweep.report(third.trial, 1, attempt=2)
    sweep.report(third.trial, 2, attempt=2)
    sweep.report(third.trial, 3, attempt=2, last=True)
    sweep.start(fourth.trial)
    sweep.journal.append(
        "ended", trial=fourth.trial, status="failed", reason="loss became nan\nat step 7", lost_wall_s=None
    )
    sweep.meter(metered("s1", "cpu", 600.1), metered("s1", "GPU-é", 0.0))
    yield
    sweep.start(fifth.trial)
    sweep.report(fifth.trial, 1)
    sweep.session(2)
    sweep.start(fifth.trial, attempt=2, after=0)
    sweep.report(fifth.trial, 1, attempt=2)
    yield
    sweep.meter(metered("s1", "cpu", 700.7), metered("s2", "cpu", 1 / 3))
    sweep.test(third.trial, 3, 2 / 3)
    sweep.test(third.trial, 3, 1 / 3)
    sweep.measure(third.trial, first.trial)
    short_of_memory(sweep, fifth.trial)
    sweep.journal.append("closed", status="limit")
    yield


def tiny_journal(folder: Path) -> None:
    """Two trials: one crashes and repeats an epoch, one is stopped at a rung."""
    with Sweep(folder) as sweep:
        one, two = trial_spec(0, 0), trial_spec(0, 1)
        sweep.session()
        sweep.plan(one, two)
        for trial in (one.trial, two.trial):
            sweep.start(trial)
            sweep.report(trial, 1)
        sweep.decide(two.trial, "stop", 1, value=0.1, cutoff=0.2, reason="below the cutoff")
        sweep.report(one.trial, 2)
        sweep.start(one.trial, attempt=2, after=1)
        sweep.report(one.trial, 2, attempt=2)
        sweep.report(one.trial, 3, attempt=2, last=True)
        sweep.journal.append("closed", status="finished")


def write_journal(folder: Path, clock: Callable[[], float] | None = None, **header: Any) -> None:
    with Sweep(folder, clock, **header) as sweep:
        for _ in standard_events(sweep):
            pass
