"""Energy of a sweep's trials measured once more, each with the machine to itself."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.analysis.sweeps.energy import measured_energy
from greenexp.errors import InputError, UnknownNameError
from greenexp.extras import require
from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState, TrialState
from greenexp.journal.tables import read_tables, tables_of
from greenexp.records.energy import EnergyMeasurement
from greenexp.sources.checkpoints import MANIFEST, MODELS
from greenexp.sources.folders import sweep_folder

if TYPE_CHECKING:
    from greenexp.meters import Meters
    from greenexp.tasks.prepared import PreparedTask

FRONT, CHOSEN = "front", "chosen"
MOST_POINTS = 5
"""Operating points of one model that are measured: evenly over its part of the front."""
OTHERS = "other programs ran"
_WARM_UP_S = 5.0
_MOST_BUSY = 0.1
"""Cores that other programs may use while the machine rests: what a system does by itself."""


@dataclass(frozen=True, slots=True)
class MeasuringOptions:
    """How energy is measured.

    repeats: of a training
    idle_s: seconds for which the machine is left alone before each piece of work, to cool down and to measure its idle
        power; window_s: seconds for which an operating point answers; examples: texts that it answers, again and again
    busy: measure although other programs run, and record that they did
    """

    repeats: int = 3
    idle_s: float = 10.0
    window_s: float = 5.0
    examples: int = 128
    busy: bool = False


def measure(
    source: str | Path,
    *,
    trials: str | Sequence[str] = FRONT,
    options: MeasuringOptions = MeasuringOptions(),
    tell: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Train the chosen trial once more, and answer with the front's models, alone on the machine; record the energy.

    source: folder of a sweep; trials: `front`: the models whose operating points lie on the front, and the training of
        the chosen trial; `chosen`: that training alone; or names of trials, whose training is repeated
    tell: takes a line per step
    What has been measured is in the journal at once: measuring again adds to it. A model that the sweep did not keep is
    trained first, and that training counts as a repeat.
    Raises InputError where no energy can be measured, while other programs keep the machine busy, and for a sweep that
    has not chosen anything; UnknownNameError for a trial that is not there.
    """
    folder = sweep_folder(source)
    require()
    with Journal(folder / NAME) as journal:
        state = SweepState(journal.events)
        work = _Work(folder, journal, state, options, tell, _counters(state))
        names = [trials] if isinstance(trials, str) and trials not in (FRONT, CHOSEN) else trials
        if isinstance(names, str):
            chosen = _chosen(state)
            work.train(chosen, options.repeats)
            if names == FRONT:
                for name, points in _front(state, folder).items():
                    work.answer(state.trials[name], points)
        else:
            unknown = [name for name in names if name not in state.trials]
            if unknown:
                raise UnknownNameError("trial", unknown[0], list(state.trials))
            for name in names:
                work.train(state.trials[name], options.repeats)
    return measured_energy(read_tables(folder))


def _counters(state: SweepState) -> str:
    """What is read. InputError where there is nothing."""
    from greenexp.meters import survey

    can, how = survey(gpus=_gpus(state), exclusive=True)["energy_j"]
    if not can:
        raise InputError(f"the energy of a trial cannot be measured on this machine: {how}")
    return how


def _gpus(state: SweepState) -> tuple[str, ...]:
    from greenexp.meters.nvml import visible_gpus

    return visible_gpus()[: math.ceil(state.spec.resources.gpus_per_trial)]


def _chosen(state: SweepState) -> TrialState:
    from greenexp.records.selection import best_trial

    best = best_trial(state.chosen, state.mode)
    if best is None:
        raise InputError("the sweep has not chosen a configuration yet: the seeds of none have ended at one epoch")
    return best


def _front(state: SweepState, folder: Path) -> dict[str, list[str]]:
    """Trial -> texts of the policies of its points on the front, at most `MOST_POINTS`."""
    points = operating_front(tables_of(state, folder))
    points = points[points["on_front"]]
    found: dict[str, list[str]] = {}
    for name, rows in points.groupby("trial", sort=False):
        found[str(name)] = [_policy_text(rows.iloc[place]) for place in _evenly(len(rows), MOST_POINTS)]
    return found


def _evenly(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def _policy_text(point: pd.Series[Any]) -> str:
    """A policy with its threshold, as `--policy` takes it; of a fixed exit its number."""
    from greenexp.records.policies import STATIC

    if point["policy"] == STATIC:
        return f"{STATIC}:exit={int(point['threshold'])}"
    return f"{point['policy']}:{point['threshold']:.12g}"


@dataclass(eq=False)
class _Work:
    """Measuring of one sweep: the pieces of work, one after another."""

    folder: Path
    journal: Journal
    state: SweepState
    options: MeasuringOptions
    tell: Callable[[str], None]
    counters: str
    _data: dict[str, PreparedTask] = field(default_factory=dict)

    def train(self, trial: TrialState, repeats: int, model_folder: Path | None = None) -> None:
        """Train a trial again and again."""
        from greenexp.training.alone import train_alone, warm_up

        if not trial.records:
            raise InputError(f"{trial.spec.trial} has no report: there is nothing to repeat")
        threads, data = self.state.spec.resources.cpus_per_trial, self._tokens(trial)
        first = 1 + sum(one.what == "training" and one.trial == trial.spec.trial for one in self.state.measured)
        self.tell(f"{trial.spec.trial}: warming up")
        warm_up(trial.spec, data, self._meters(), threads=threads, seconds=_WARM_UP_S)
        for repeat in range(first, first + repeats):
            idle_w = self._idle_w()
            self.tell(f"{trial.spec.trial}: training alone, repeat {repeat}")
            scores = {epoch: record.score for epoch, record in trial.records.items()}
            done = train_alone(
                trial.spec, data, self._meters, threads=threads, scores=scores, model_folder=model_folder
            )
            self._record(
                EnergyMeasurement(
                    trial.spec.trial, "training", "", repeat, done.energy_j, idle_w, done.wall_s, done.examples,
                    self.counters, done.reproduced,
                )
            )  # fmt: skip

    def answer(self, trial: TrialState, points: Sequence[str]) -> None:
        """Answer with a trial's model at some operating points."""
        from greenexp.inference.bench.points_energy import energy_of_points
        from greenexp.replay.policy_text import policy_from_text

        name = trial.spec.trial
        before = [one for one in self.state.measured if one.what == "inference" and one.trial == name]
        repeat = 1 + max((one.repeat for one in before), default=0)
        with self._model(trial) as folder:
            policies = {text: policy_from_text(text) for text in points}
            self.tell(f"{name}: answering at {len(points)} operating point(s)")
            self._rest()
            with self._meters() as meters:
                energy = energy_of_points(
                    folder, policies, self._examples(trial), meters, device="cuda" if _gpus(self.state) else "cpu",
                    threads=self.state.spec.resources.cpus_per_trial, window_s=self.options.window_s,
                )  # fmt: skip
        if energy.why_not:
            self.tell(f"warning: {name}: not all energy of its answers was measured: {energy.why_not}")
        if energy.idle_w is None:
            return
        for text, joules in energy.joules.items():
            self._record(
                EnergyMeasurement(
                    name, "inference", text, repeat, joules, energy.idle_w, energy.windows[text].wall_s,
                    energy.windows[text].examples, self.counters,
                )
            )  # fmt: skip

    def _record(self, measurement: EnergyMeasurement) -> None:
        event = self.journal.append("measured", measurements=[measurement.to_json()])
        self.state.apply(event)

    def _meters(self) -> Meters:
        from greenexp.meters import open_meters

        resources = self.state.spec.resources
        return open_meters(gpus=_gpus(self.state), cpus=resources.cpus_per_trial, exclusive=True)

    def _rest(self) -> None:
        """Leave the machine alone. InputError if other programs do not, whose energy would be counted too."""
        from greenexp.meters.activity import CpuActivity

        cpu = CpuActivity((os.getpid(),))
        before, began_s = cpu.read((), 0.0), time.monotonic()
        time.sleep(self.options.idle_s)
        after, seconds = cpu.read((), 0.0), time.monotonic() - began_s
        if before.total is None or after.total is None:
            return
        others = (after.total - before.total - (after.own - before.own)) / seconds
        if others <= _MOST_BUSY:
            return
        said = f"other programs used {others:.2f} of a core while the machine was to rest"
        if not self.options.busy:
            raise InputError(f"{said}: measure on an idle machine (--busy measures nonetheless, and records it)")
        self.tell(f"warning: {said}, and their energy counts too")
        self.counters = self.counters if OTHERS in self.counters else f"{self.counters}; {OTHERS}"

    def _idle_w(self) -> float:
        """Leave the machine alone, and measure its power meanwhile."""
        with self._meters() as meters:
            meters.start()
            self._rest()
            found = meters.read()
        if found.costs.energy_j is None:
            raise InputError(f"idle power was not measured: {found.not_measured['energy_j']}")
        return found.costs.energy_j / found.costs.wall_s

    def _tokens(self, trial: TrialState) -> PreparedTask:
        from greenexp.plan.data import data_key, prepare_data

        key = data_key(trial.spec.settings)
        if key not in self._data:
            self._data = {key: prepare_data(trial.spec.settings)}
        return self._data[key]

    def _examples(self, trial: TrialState) -> list[Any]:
        from greenexp.inference.bench.examples import bench_examples

        task = trial.spec.settings.task.plugin().load()
        return bench_examples(self._tokens(trial), task, self.options.examples).tokens

    def _model(self, trial: TrialState) -> _Folder:
        """The trial's model: the one that was kept, else one that is trained now, alone, and measured too."""
        kept = self.folder / MODELS / trial.spec.trial
        if (kept / MANIFEST).is_file():
            return _Folder(kept, None)
        scratch = tempfile.TemporaryDirectory()
        self.tell(f"{trial.spec.trial}: its model was not kept, so it is trained again")
        self.train(trial, 1, Path(scratch.name))
        return _Folder(Path(scratch.name), scratch)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that may have to be deleted afterwards."""

    path: Path
    scratch: tempfile.TemporaryDirectory[str] | None

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *exception: object) -> None:
        if self.scratch is not None:
            self.scratch.cleanup()
