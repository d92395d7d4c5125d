"""Sessions of a sweep whose search learns, with stand-ins for the workers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from stand_ins import Workers

from greenexp.journal.state import SweepState
from greenexp.plan import Plan, make_plan
from greenexp.records.trial import TrialSpec
from greenexp.spec import load_sweep, resolved
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.opening import open_sweep

TEXT = """\
name: climbing
task: {name: clauses, train: 64, dev: 32, test: 32}
backbone: {name: bert, layers: 2, hidden: 16, heads: 2}
training: {epochs: 9, max_length: 32}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-1}}
search: {name: climb, proposals: 6}
seeds: {initialisation: 2}
scheduler: {name: asha, reduction_factor: 2}
resources: {workers: 2}
"""


def a_plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides, source="f"))


def session(folder: Path, *overrides: str, reports: int | None = None, **play: Any) -> SweepState:
    """One session with stand-ins for the workers."""
    plan = a_plan(*overrides)
    sweep = open_sweep(plan, resolved(plan.spec), folder)
    limits = plan.spec.budget.limits()
    conductor = Conductor(sweep.journal, sweep.state, sweep.scheduler, limits=limits, workers=2, search=sweep.search)
    try:
        conductor.begin({}, sweep.missing)
        Workers(conductor, score=by_learning_rate, **play).play(reports)
        if reports is None:
            conductor.close()
    finally:
        sweep.journal.close()
    return sweep.state


def by_learning_rate(trial: TrialSpec, epoch: int) -> float:
    """Best at 2.2e-3; seeds differ a little."""
    distance = abs(math.log10(trial.settings.training.learning_rate / 2.2e-3))
    return round(0.8 - 0.2 * distance + 0.01 * epoch + 0.003 * trial.seeds.initialisation, 6)
