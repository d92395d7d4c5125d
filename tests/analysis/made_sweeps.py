"""Sweeps as tables without running one: recorded facts with smooth made-up numbers, through the real `assemble`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from greenexp.records import ExitCosts, ExitRecord, operating_points
from greenexp.records.assemble import assemble
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.staircase import with_staircases
from greenexp.records.tables import EpochFacts, SweepFacts, SweepTables, TrialFacts

RUNGS = (1, 3)
NO_ENERGY = "no energy counter: no NVIDIA GPU, and RAPL is not readable"


def sweep(
    configurations: int = 4,
    seeds: int = 2,
    *,
    ends: Mapping[str, tuple[str, int]] | None = None,
    reasons: Mapping[str, str] | None = None,
    epochs: int = 9,
    exits: int = 3,
    search: str = "random",
    scheduler: str = "fifo",
    metric: Mapping[str, Any] | None = None,
    energy_j: float | None = None,
    **more: Any,
) -> SweepTables:
    """`ends`: trial or configuration -> (status, epochs reached); finished after `epochs` where not named.

    more: replaces whole entries of the spec (`name`, `task`, ...).
    """
    ends, reasons = ends or {}, reasons or {}
    spec = {
        "name": "made", "task": {"name": "clauses", "dev": 500}, "metric": metric or {"name": "accuracy"},
        "search": {"name": search}, "scheduler": {"name": scheduler}, "training": {"epochs": epochs},
        "seeds": {"initialisation": seeds, "order": 1}, "budget": {"wall_s": 300.0}, **more,
    }  # fmt: skip
    trials, reports, decisions = [], [], []
    for index in range(configurations * seeds):
        c, s = divmod(index, seeds)
        name = f"c{c:03d}-i{s}-o0"
        status, reached = ends.get(name, ends.get(f"c{c:03d}", ("finished", epochs)))
        trials.append(
            TrialFacts(
                trial=name, configuration=f"c{c:03d}", index=index, fingerprint=f"f{index}", initialisation_seed=s,
                order_seed=7, max_epochs=epochs, searched={"training.learning_rate": 1e-3 * (c + 1) / 3}, status=status,
                reason=reasons.get(name, ""), attempts=int(status != "planned"), lost_wall_s=0.0,
                started=status != "planned",
            )
        )  # fmt: skip
        for epoch in range(1, reached + 1):
            time_s = 10.0 * (index // 2) + 3.0 * epoch + index % 2
            record = _record(c, s, epoch, epochs, exits, energy_j, minimize=spec["metric"].get("mode") == "min")
            reports.append(EpochFacts(name, 1, time_s, record))
            if scheduler != "fifo" and epoch in RUNGS:
                action = "stop" if status == "stopped" and epoch == reached else "go_on"
                decisions.append(
                    {"trial": name, "rung": epoch, "bracket": 0, "action": action, "value": record.score,
                     "cutoff": 0.5 if c else None, "reason": "", "time_s": time_s}
                )  # fmt: skip
    reports.sort(key=lambda report: report.time_s)
    facts = {"name": spec["name"], "elapsed_s": 123.0, "complete": not ends, "sessions": [{"versions": {"x": "1.2"}}]}
    return assemble(SweepFacts(spec, facts, tuple(trials), tuple(reports), tuple(decisions)))


def with_thresholds(tables: SweepTables, examples: int = 500) -> SweepTables:
    """The same sweep with a staircase of thresholds for every trial, replayed from drawn logits.

    Accuracies are the drawn ones, about 0.84 at the first exit and 0.98 at the last, whatever the static points say.
    """
    static, steps = tables.operating_points, {}
    for seed, (trial, rows) in enumerate(static.groupby("trial", sort=False)):
        rng, exits = np.random.default_rng(seed), len(rows)
        labels = rng.integers(0, 2, examples)
        logits = rng.normal(size=(exits, examples, 2))
        logits[:, np.arange(examples), labels] += np.linspace(1.4, 3.0, exits)[:, None]
        flops = rows["inference_flops"].to_numpy()[:, None]
        costs = ExitCosts(rows["mean_layers"], [7], flops, flops + 1e4 * np.arange(1, exits + 1)[:, None])
        points = operating_points(ExitRecord(logits, labels, np.full(examples, 7)), "max_probability", costs)
        steps[str(trial)] = points.rename(columns={"accuracy": "score"})
    facts = {name: value for name, value in tables.facts.items() if name != "operating_points"}
    return dataclasses.replace(tables, operating_points=with_staircases(static, steps), facts=facts)


def score_of(c: int, s: int, epoch: int) -> float:
    """Score of configuration c, seed s at an epoch: rises towards a ceiling, better for middle configurations."""
    ceiling = 0.9 - 0.04 * abs(c - 2) + 0.01 * s
    return ceiling * (1 - 0.6 * math.exp(-epoch / 2))


def _record(
    c: int, s: int, epoch: int, epochs: int, exits: int, energy_j: float | None, *, minimize: bool
) -> EpochRecord:
    score = score_of(c, s, epoch)
    if minimize:
        score = 1 - score
    depth = [(e, score * (0.8 + 0.2 * e / exits)) for e in range(1, exits + 1)]
    return EpochRecord(
        epoch=epoch, step=epoch * 10, examples=320, train_loss=1 / epoch, learning_rate=1e-3, score=score,
        best_score=score,
        exits=tuple(
            ExitScore(e, 2 * e, {"loss": 1.0, "accuracy": value}, 1e6 * e * (1 + 0.001 * c)) for e, value in depth
        ),
        costs=Costs(
            wall_s=3.0 + 0.1 * c, cpu_s=2.5, gpu_s=0.0, train_flops=2e9, eval_flops=1e8, energy_j=energy_j,
            peak_memory_b=3e8,
        ),
        not_measured={} if energy_j else {
            "energy_j": NO_ENERGY, "carbon_g": "needs measured energy", "money": "no price is stated"
        },
        last=epoch == epochs,
    )  # fmt: skip
