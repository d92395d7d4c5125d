"""The report of a large sweep, timed without and with its kept replay: `python benchmarks/report_replay.py`.

The sweep is made up: trials of one encoder with 12 exits, each with drawn logits on 9,815 dev examples (the size of
MNLI's matched dev set) and five exit policies; the two trials of the best configuration have test logits too.
The report is rendered twice, each time in a new process: cold, where every policy is replayed over the logits of every
trial, and warm, where what was replayed is read from the sweep's folder. Both reports must be the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.plan.planning import make_plan
from greenexp.records.at_rest import FOLDER
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.held_out import HeldOutRecord
from greenexp.replay import ExitCosts
from greenexp.replay.kept import FOLDER as KEPT
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.spec.document import load_sweep

EXITS, CLASSES, SEEDS, EPOCHS, SHORTEST, LONGEST = 12, 3, 2, 3, 5, 129
SWEEP = """
name: made-up
task:     {{name: clauses, dev: {examples}}}
backbone: {{name: bert, layers: 12, hidden: 32, heads: 2}}
exits:    {{layers: all}}
training: {{epochs: 3, max_length: 128}}
space:
  training.learning_rate: {{dist: loguniform, low: 1e-5, high: 1e-3}}
search:   {{name: random, samples: {configurations}}}
seeds:    {{initialisation: 2}}
replay:   {{policies: [max_probability, entropy, patience, voting, oracle]}}
"""
TIMED = """
import sys, time
begin = time.perf_counter(), time.process_time()
from greenexp.api.sweeps import load
sweep = load(sys.argv[1])
sweep.tables
read = time.perf_counter(), time.process_time()
sweep.report(out=sys.argv[2])
wrote = time.perf_counter(), time.process_time()
print(*(read[i] - begin[i] for i in range(2)), *(wrote[i] - read[i] for i in range(2)))
"""


def the_costs() -> ExitCosts:
    """A layer of width 768: 14 MFLOP per token, plus attention; a pooler and a head at each exit."""
    layers, lengths = np.arange(1, EXITS + 1), np.arange(SHORTEST, LONGEST)
    layer = 14_155_776 * lengths + 3_072 * lengths**2
    static, dynamic = layers[:, None] * layer + 1_180_000, layers[:, None] * (layer + 1_180_000)
    return ExitCosts(layers, lengths, static, dynamic, encoder_layers=EXITS)


def drawn(seed: int, skill: float, labels: np.ndarray, lengths: np.ndarray) -> StoredLogits:
    """Logits that grow and get better from exit to exit. skill: how much better."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(EXITS, len(labels), CLASSES)) * np.linspace(1, 4, EXITS)[:, None, None]
    logits[:, np.arange(len(labels)), labels] += np.linspace(0.5, skill, EXITS)[:, None]
    return StoredLogits.of(logits, labels, lengths, range(1, EXITS + 1), the_costs())


def scores(stored: StoredLogits, flops: np.ndarray) -> tuple[ExitScore, ...]:
    right = (stored.record.predictions() == stored.labels).mean(axis=1)
    return tuple(
        ExitScore(number, number, {"accuracy": float(score)}, float(price))
        for number, score, price in zip(range(1, EXITS + 1), right, flops, strict=True)
    )


def write_sweep(folder: Path, trials: int, examples: int) -> None:
    """A sweep that is over, as a driver leaves it."""
    file = folder / "sweep.yaml"
    file.write_text(SWEEP.format(examples=examples, configurations=trials // SEEDS), encoding="utf-8")
    document = load_sweep(file)
    plan, rng = make_plan(document), np.random.default_rng(0)
    labels, lengths = rng.integers(0, CLASSES, examples), rng.integers(SHORTEST, LONGEST, examples)
    flops, ticks = the_costs().static_flops[:, lengths - SHORTEST].mean(axis=1), time_of()
    with Journal(folder / NAME, clock=lambda: next(ticks)) as journal:
        spec = document.spec.model_dump(mode="json")
        journal.append("sweep", format=FORMAT, name="made-up", fingerprint="f", spec=spec)
        for trial in plan.trials:
            journal.append("trial", spec=trial.to_json())
        journal.append("session", number=1, versions={})
        for number, trial in enumerate(plan.trials):
            journal.append("started", trial=trial.trial, attempt=1, after=0)
            stored = drawn(number, 3 + 1.5 * (number // SEEDS) / trials, labels, lengths)
            score = float(np.mean([each.metrics["accuracy"] or 0.0 for each in scores(stored, flops)]))
            for epoch in range(1, EPOCHS + 1):
                best = score - 0.01 * (EPOCHS - epoch)
                record = EpochRecord(
                    epoch=epoch, step=10 * epoch, examples=1000, train_loss=1.0 / epoch, learning_rate=1e-4,
                    score=best, best_score=best, exits=scores(stored, flops),
                    costs=Costs(wall_s=60.0, cpu_s=60.0, train_flops=1e12), last=epoch == EPOCHS,
                    encoder_layers=EXITS, parameters=1_000_000,
                )  # fmt: skip
                if epoch == EPOCHS:
                    record = dataclasses.replace(record, dev_logits=write_logits(folder / FOLDER, stored))
                journal.append("report", trial=trial.trial, attempt=1, record=record.to_json())
        for number, trial in list(enumerate(plan.trials))[-SEEDS:]:
            test = drawn(10_000 + number, 4, labels, lengths)
            record = HeldOutRecord(EPOCHS, examples, 0.5, scores(test, flops), write_logits(folder / FOLDER, test))
            journal.append("held_out", trial=trial.trial, record=record.to_json())
        journal.append("closed", status="finished")


def time_of() -> Iterator[float]:
    """A clock that goes on by a second at each look."""
    now = 1_000_000.0
    while True:
        now += 1.0
        yield now


def rendered(folder: Path, out: Path) -> list[float]:
    """Seconds on the clock and of the CPU to read the tables, and the same to render the page, in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", TIMED, str(folder), str(out)], capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return [float(number) for number in done.stdout.split()[-4:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--examples", type=int, default=9_815)
    parser.add_argument("--keep", type=Path, help="a folder for the sweep, which stays")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch) / "made-up"
        if not (folder / NAME).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_sweep(folder, asked.trials, asked.examples)
        print(f"{asked.trials} trials x {asked.examples:,} dev examples x {EXITS} exits x {CLASSES} classes\n")
        print("| | read and replay (s) | of CPU | render (s) | of CPU | together (s) | page (MB) |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        shutil.rmtree(folder / KEPT, ignore_errors=True)
        pages = []
        for name in ("cold", "warm"):
            seconds = rendered(folder, Path(scratch) / name)
            pages.append((Path(scratch) / name / "report.html").read_bytes())
            size = len(pages[-1]) / 1e6
            cells = [f"{second:.1f}" for second in (*seconds, seconds[0] + seconds[2])]
            print(f"| {name} | {' | '.join(cells)} | {size:.2f} |", flush=True)
        print(f"\nthe two pages are {'the same bytes' if pages[0] == pages[1] else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
