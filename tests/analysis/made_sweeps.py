"""Sweeps as tables without running one: recorded facts with smooth made-up numbers, through the real `assemble`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.lead_of_sweep import exit_score
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.answers import ExampleAnswers
from greenexp.records.assemble import assemble
from greenexp.records.decision import Action, Verdict
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.exit_tables import ExitTables
from greenexp.records.history import SweepHistory
from greenexp.records.replayed import replayed_tables, with_replayed_points
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import DecisionFacts, EpochFacts, SweepFacts, SweepTables, TrialFacts
from greenexp.replay import ExitCosts, operating_points
from greenexp.replay.exit_tables import exit_tables
from greenexp.replay.logits import StoredLogits
from greenexp.replay.standing import StandingLogits

RUNGS = (1, 3)
SEARCHES = {
    "random": {"name": "random", "samples": 4},
    "grid": {"name": "grid"},
    "points": {"name": "points", "points": [{"training.learning_rate": 1e-3}]},
    "tpe": {"name": "tpe", "samples": 30},
    "tpe, told": {"name": "tpe", "samples": 30, "from": ["elsewhere"]},
}
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
        "search": SEARCHES[search], "scheduler": {"name": scheduler}, "training": {"epochs": epochs},
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
                verdict = Verdict(name, Action(action), epoch, record.score, 0.5 if c else None)
                decisions.append(DecisionFacts(time_s, verdict))
    reports.sort(key=lambda report: report.time_s)
    sessions = ({"versions": {"x": "1.2"}},)
    history = SweepHistory(spec["name"], elapsed_s=123.0, complete=not ends, sessions=sessions)
    return assemble(SweepFacts(SweepSpec.from_json(spec), history, tuple(trials), tuple(reports), tuple(decisions)))


def with_thresholds(
    tables: SweepTables,
    examples: int = 500,
    *,
    policies: Sequence[Any] = ("max_probability",),
    classes: int = 2,
    test: bool = False,
    only: Sequence[str] | None = None,
    points_alone: bool = False,
) -> SweepTables:
    """The same sweep with what is replayed from drawn logits of every trial, or of those named in `only`.

    Accuracies are the drawn ones, whatever the static points say. classes: 1 for regression; test: whether test logits
    are stored too, for all; points_alone: the operating points and no other table, which is quicker
    """
    static, replays = tables.operating_points, {}
    metric = tables.spec.metric.name
    for seed, (trial, rows) in enumerate(static.groupby("trial", sort=False)):
        if only is not None and trial not in only:
            continue
        rng = np.random.default_rng(seed)
        stored = [drawn(rng, rows, examples, classes) for _ in range(2 if test else 1)]
        replays[str(trial)] = (
            ExitTables(pd.concat([every_point(stored[0], policy, metric) for policy in policies]))
            if points_alone
            else exit_tables(StandingLogits(*stored), policies, metric)
        )
    remarks = dataclasses.replace(tables.remarks, operating_points="")
    trials = [Named(*pair) for pair in zip(tables.trials["trial"], tables.trials["configuration"], strict=True)]
    more: dict[str, Any] = replayed_tables(trials, replays)  # type: ignore[arg-type]  # no more of them is asked for
    return dataclasses.replace(tables, operating_points=with_replayed_points(static, replays), remarks=remarks, **more)


def with_answers(
    tables: SweepTables, examples: int = 400, *, classes: int = 2, seed: int = 0, only: Sequence[str] | None = None
) -> SweepTables:
    """The same sweep with what every trial answered on every dev example, and the scores that follow from it.

    Later configurations are right more often; all seeds and configurations find the same examples hard.
    """
    rng = np.random.default_rng(seed)
    metric = metric_of(tables)
    labels = rng.normal(size=examples) if classes == 1 else rng.integers(0, classes, examples)
    hard = rng.normal(size=examples)
    answers, scores = {}, []
    for trial, configuration in zip(tables.trials["trial"], tables.trials["configuration"], strict=True):
        own = rng.normal(size=(3, examples)) + 0.3 * hard + 0.2 * int(configuration[1:])
        if classes == 1:
            said = (labels + rng.normal(size=(3, examples)) / (1 + int(configuration[1:]))).astype(np.float32)
        else:
            said = np.where(own > 0, labels, (labels + 1) % classes).astype(np.int8)
        losses = np.exp(-own).astype(np.float32)
        each = ExampleAnswers(said, labels.astype(said.dtype), np.array([1, 2, 3]), losses)
        scores.append(float(exit_score(each, metric, np.ones((1, examples)))[0]))
        if only is None or trial in only:
            answers[str(trial)] = each
    return dataclasses.replace(tables, answers=answers, trials=tables.trials.assign(score=scores))


def every_point(stored: StoredLogits, policy: Any, metric: str) -> pd.DataFrame:
    assert stored.costs is not None
    return operating_points(stored.record, policy, stored.costs, metric).rename(columns={metric: "score"})


class Named(NamedTuple):
    """All that tables of replayed logits take of a trial's facts."""

    trial: str
    configuration: str


def drawn(rng: np.random.Generator, static: pd.DataFrame, examples: int, classes: int) -> StoredLogits:
    """Logits and prices of exits: later ones are right more often, and too sure of it."""
    exits = len(static)
    lengths = np.full(examples, 7)
    layers, flops = static["mean_layers"], static["inference_flops"].to_numpy()[:, None]
    costs = ExitCosts(layers, [7], flops, flops + 1e4 * np.arange(1, exits + 1)[:, None], encoder_layers=2 * exits)
    if classes == 1:
        labels = rng.normal(size=examples).astype(np.float32)
        logits = labels[:, None] + rng.normal(size=(exits, examples, 1)) * np.linspace(1, 0.3, exits)[:, None, None]
        return StoredLogits.of(logits, labels, lengths, np.arange(1, exits + 1), costs)
    labels = rng.integers(0, classes, examples)
    hard = rng.normal(size=(examples, classes))  # what all exits find alike
    logits = 0.7 * hard + 0.7 * rng.normal(size=(exits, examples, classes))
    logits[:, np.arange(examples), labels] += np.linspace(1.4, 3.0, exits)[:, None]
    logits *= np.linspace(1.0, 4.0, exits)[:, None, None]
    return StoredLogits.of(logits, labels, lengths, np.arange(1, exits + 1), costs)


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
        encoder_layers=2 * exits,
    )  # fmt: skip
