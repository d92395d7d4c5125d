"""What a report costs the driver on our side: journal with fsync, state, scheduler, budget; without Ray and MLflow.

    python benchmarks/callbacks.py [--configurations N] [--seeds N] [--epochs N]

Feeds the reports of a whole ASHA sweep, random scores, through the conductor on this disk, and prints milliseconds per
report (median, 99th percentile, and the last tenth alone, to show that it does not grow with the sweep).
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState
from greenexp.records.decision import Action
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.sections import BackboneChoice, Exits, HeadChoice, MethodChoice, Metric, TaskChoice, Training
from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.schedulers import build
from greenexp.tuning.assignment import Assignment
from greenexp.tuning.conductor import Conductor


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name, default in (("configurations", 200), ("seeds", 2), ("epochs", 9)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        times = drive(Path(folder), given.configurations, given.seeds, given.epochs)
    sorted_times = sorted(times)
    last = sorted(times[-len(times) // 10 :])
    print(f"{len(times)} reports, 6 exits each, {given.configurations} configurations x {given.seeds} seeds")
    print(f"{'':18}{'median':>10}{'99 %':>10}")
    for label, part in (("all reports", sorted_times), ("the last tenth", last)):
        print(f"{label:18}{1e3 * part[len(part) // 2]:>7.2f} ms{1e3 * part[int(0.99 * len(part))]:>7.2f} ms")


def drive(folder: Path, configurations: int, seeds: int, epochs: int) -> list[float]:
    """Seconds per report of a sweep in which two trials run at a time."""
    rng = random.Random(0)
    trials = [a_trial(c, s, seeds, epochs) for c in range(configurations) for s in range(seeds)]
    journal = Journal(folder / NAME)
    state = SweepState()
    spec = {"metric": {"name": "accuracy", "mode": "max"}}
    state.apply(journal.append("sweep", format=FORMAT, name="x", fingerprint="x", spec=spec))
    for trial in trials:
        state.apply(journal.append("trial", spec=trial.to_json()))
    groups: dict[str, list[str]] = {}
    for trial in trials:
        groups.setdefault(trial.configuration, []).append(trial.trial)
    scheduler = build({"name": "asha"}, max_epochs=epochs, groups=groups, mode="max")
    conductor = Conductor(journal, state, scheduler, limits={"wall_s": 1e9, "train_flops": 1e30}, workers=2)
    conductor.begin({})
    return play(conductor, epochs, rng)


def play(conductor: Conductor, epochs: int, rng: random.Random) -> list[float]:
    """Hand out, report, pause, release, until nothing is left."""
    times: list[float] = []
    running: dict[str, tuple[int, int]] = {}
    while True:
        for name in conductor.stopped_while_paused():
            conductor.drop_paused(name)
        for name in conductor.releasable()[:1]:
            conductor.reserve(name)
            running[name] = (1, conductor.state.trials[name].epoch)
        answer = conductor.next_trial()
        if isinstance(answer, Assignment):
            conductor.reserve(answer.spec.trial)
            conductor.started(answer.spec.trial, answer.attempt, 0)
            running[answer.spec.trial] = (answer.attempt, 0)
            continue
        if not running:
            return times
        name = rng.choice(list(running))
        attempt, epoch = running.pop(name)
        record = a_record(epoch + 1, epochs, rng)
        began = time.perf_counter()
        action = conductor.report(name, attempt, record)
        times.append(time.perf_counter() - began)
        if action is Action.GO_ON:
            running[name] = (attempt, epoch + 1)
        elif action is Action.PAUSE:
            conductor.paused(name, attempt, epoch + 1, "checkpoints/x")


def a_trial(configuration: int, seed: int, seeds: int, epochs: int) -> TrialSpec:
    """A trial with settings of ordinary size."""
    head = HeadChoice(name="linear")
    settings = Settings(
        TaskChoice(name="clauses"),
        BackboneChoice(name="bert"),
        Exits(head=head),
        MethodChoice(name="branchynet"),
        Training(epochs=epochs, learning_rate=1e-3 * (configuration + 1)),
        Metric(),
    )
    name = f"c{configuration:03d}"
    index = configuration * seeds + seed
    return TrialSpec(f"{name}-i{seed}-o0", name, index, settings, {"training.rate": 1.0}, TrialSeeds(seed, 0))


def a_record(epoch: int, epochs: int, rng: random.Random) -> EpochRecord:
    """A report of six exits."""
    score = rng.random()
    exits = tuple(ExitScore(n, n, {"loss": 1.0, "accuracy": score}, 1e9) for n in range(1, 7))
    costs = Costs(wall_s=1.0, cpu_s=1.0, train_flops=1e12, eval_flops=1e11)
    return EpochRecord(
        epoch, epoch, 800, 1.0, 1e-4, score, score, exits, costs, last=epoch == epochs, encoder_layers=exits[-1].layer
    )


if __name__ == "__main__":
    main()
