"""How fast trials ran in sweeps on record: what a price in seconds, joules and money rests on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pandas as pd

from greenexp.errors import GreenexpError
from greenexp.records.settings import SECTIONS, Settings
from greenexp.records.speeds import (
    EVAL_RATIO,
    OTHER_VERSION,
    Overhead,
    Speeds,
    TrialKind,
    TrialSpeed,
    busy_doubt,
    pooled,
    spread_of,
)
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.sources.folders import DEFAULT, JOURNAL, sweeps_within

LOOKED_AT = 8
"""Newest sweeps that are read: a plan is to be quick."""
LARGEST_B = 20_000_000
"""Of a journal that is read, in bytes."""
LEAST_DOUBT = 0.15
"""Sd of the log of what a session takes besides its trials, from one session to the next."""


@dataclass(frozen=True, slots=True)
class SweepSpeed:
    """What one sweep says of one shape of trials; see `TrialSpeed`. `log_rates`: of its trials, at the usual ratio."""

    seconds: float
    train_flops: float
    eval_flops: float
    setup_s: float
    cpu_s: float | None
    energy_j: float | None
    log_rates: tuple[float, ...]
    peak_memory_b: float | None
    sweep: str
    aged: bool

    @property
    def counted_flops(self) -> float:
        """FLOPs of training, and of evaluation at the usual ratio of their seconds."""
        return self.train_flops + EVAL_RATIO * self.eval_flops


def recorded_speeds(machine: Mapping[str, Any], source: str | Path | None = None, device: str = "cpu") -> Speeds:
    """What the sweeps on record say of this type of machine.

    machine: the facts of this one (`meters.machine.machine_facts`); device: what trials compute on, as in their records
    source: a folder of sweeps, the folder of one, or an MLflow address; None: the folder `out`
    A sweep on another type of machine (cores, their name, the device) is not used, nor one that cannot be read; the
    notes say so. InputError or TrackingError where `source` is given and is nothing.
    """
    measured: dict[TrialKind, list[SweepSpeed]] = defaultdict(list)
    overheads: list[Overhead] = []
    notes: list[str] = []
    for name, tables in _tables(source, notes):
        why = _elsewhere(tables, machine, device)
        if why:
            notes.append(f"{name} is not used for the price: {why}")
            continue
        try:
            own = dict(_of_sweep(name, tables, machine))
            outside = tuple(_overhead(tables, own.values()))
        except (ValueError, LookupError) as error:  # of another version, or without any time on its clock
            notes.append(f"{name} is not used for the price: {type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        for shape, one in own.items():
            measured[shape].append(one)
        overheads += outside
    shapes = {shape: _pooled(shape, each) for shape, each in measured.items()}
    return Speeds(shapes, _mean_overhead(overheads), tuple(notes))


def _tables(source: str | Path | None, notes: list[str]) -> Iterator[tuple[str, SweepTables]]:
    """Name and tables of each sweep; those that cannot be read are noted.

    The name goes into the price, which is recorded and handed on: no address, and of an absolute path its last part.
    """
    if source is not None and not Path(source).is_dir():
        from greenexp.sources.tables import read_tables

        read = read_tables(source)
        yield f"{read.tables.history.name} in MLflow", read.tables
        return
    parent = DEFAULT if source is None else Path(source)
    found = [parent] if (parent / JOURNAL).is_file() else sweeps_within(parent) if parent.is_dir() else []
    if source is not None and not found:
        notes.append(f"there is no sweep in {source}")
    for folder in found[:LOOKED_AT]:
        if (folder / JOURNAL).stat().st_size > LARGEST_B:
            notes.append(f"{folder} is not used for the price: its journal is larger than {LARGEST_B:,} bytes")
            continue
        try:
            tables = _without_logits(folder)
        except GreenexpError as error:
            notes.append(f"{folder} is not used for the price: {error}")
            continue
        if tables is not None:
            yield folder.name if folder.is_absolute() else str(folder), tables


def _without_logits(folder: Path) -> SweepTables | None:
    """The tables of a sweep that has begun: nothing is replayed, which takes longer than all else."""
    from greenexp.journal.tables import tables_of
    from greenexp.sources.status import read_state

    state = read_state(folder)
    return tables_of(state) if state.header and state.reports_run else None


def _elsewhere(tables: SweepTables, machine: Mapping[str, Any], device: str) -> str:
    """Why a sweep says nothing of this machine; "" if it does."""
    here = machine.get("machine", {})
    for session in tables.history.sessions:
        there = session.get("machine")
        if not there:
            return "it does not say on which machine it ran"
        if any(there.get(name) != here.get(name) for name in ("cpu", "cpus")):
            return f"it ran on another type of machine ({there.get('cpu')}, {there.get('cpus')} cores)"
    devices = set(tables.epochs["device"]) - {"", device}
    return f"its trials ran on {', '.join(sorted(devices))}, not on {device}" if devices else ""


def _of_sweep(name: str, tables: SweepTables, machine: Mapping[str, Any]) -> Iterator[tuple[TrialKind, SweepSpeed]]:
    """What each shape of trials took in a sweep."""
    packing = tables.spec.resources.packing
    torch = machine.get("versions", {}).get("torch")
    aged = any(session.get("versions", {}).get("torch") != torch for session in tables.history.sessions)
    by_shape: dict[TrialKind, list[pd.DataFrame]] = defaultdict(list)
    reports = dict(iter(tables.epochs.groupby("trial", sort=False)))
    for row in tables.trials.to_dict("records"):
        own = reports.get(row["trial"])
        if own is not None and own[["train_flops", "eval_flops"]].notna().all(axis=None):
            by_shape[TrialKind.of(_settings(tables, row), packing)].append(own)
    for shape, trials in by_shape.items():
        one = _measured(trials, name, aged=aged)
        if one is not None:
            yield shape, one


def _settings(tables: SweepTables, row: Mapping[Any, Any]) -> Settings:
    """The settings of a trial: those of the sweep file, with what was searched."""
    named = {name: getattr(tables.spec, name) for name in SECTIONS}
    sections = {name: one.model_dump(mode="json") for name, one in named.items() if one is not None}
    for path in tables.parameters:
        value = row[PARAMS + path]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue  # it has no part in this configuration
        section, _, rest = path.partition(".")
        place = sections.setdefault(section, {})
        *above, last = rest.split(".")
        for key in above:
            place[key] = place.get(key) or {}  # None where the file leaves it out, as `exits.head`
            place = place[key]
        place[last] = value.item() if hasattr(value, "item") else value
    return Settings.from_json(sections)


def _measured(trials: Sequence[pd.DataFrame], sweep: str, *, aged: bool) -> SweepSpeed | None:
    """Set-up is in the first report of each attempt: what that took beyond the speed of the others is the set-up.

    Of trials with one report each, set-up and speed cannot be told apart, and all of it counts as speed.
    """
    later = [own[own.duplicated("attempt")] for own in trials]
    apart = sum(len(each) for each in later) > 0
    counted = [each for each in (later if apart else trials) if len(each)]
    whole = pd.concat(counted)
    train, evaluation, seconds = (float(whole[name].sum()) for name in ("train_flops", "eval_flops", "wall_s"))
    if train <= 0 or seconds <= 0:
        return None
    rate = seconds / (train + EVAL_RATIO * evaluation)
    setups = []
    for own in trials if apart else ():
        first = own[~own.duplicated("attempt")]
        work = first["train_flops"] + EVAL_RATIO * first["eval_flops"]
        setups += [float(each) for each in first["wall_s"] - rate * work]
    return SweepSpeed(
        seconds,
        train,
        evaluation,
        max(0.0, median(setups)) if setups else 0.0,
        _sum(whole["cpu_s"]),
        _sum(whole["energy_j"]),
        tuple(
            math.log(each["wall_s"].sum() / (each["train_flops"].sum() + EVAL_RATIO * each["eval_flops"].sum()))
            for each in counted
        ),
        _peak(pd.concat(trials)),
        sweep,
        aged,
    )


def _peak(reports: pd.DataFrame) -> float | None:
    """The largest memory of batches that were computed whole."""
    known = reports.loc[reports["micro_batch_size"].isna(), "peak_memory_b"].dropna()
    return float(known.max()) if len(known) else None


def _sum(column: pd.Series) -> float | None:
    return None if column.isna().any() else float(column.sum())


def _pooled(kind: TrialKind, sweeps: Sequence[SweepSpeed]) -> TrialSpeed:
    """The speed over all sweeps that trained a shape."""
    rates = [math.log(one.seconds / one.counted_flops) for one in sweeps]
    spread = max(spread_of(one.log_rates) for one in sweeps)
    # How much a machine's speed wanders within a sweep says how much it may between two.
    doubt, freedom = pooled(rates, math.hypot(TrialSpeed(1.0, 1.0).doubt, spread / 2))
    seconds = sum(one.seconds for one in sweeps)
    cpu, energy = ([getattr(one, name) for one in sweeps] for name in ("cpu_s", "energy_j"))
    more = f" and {len(sweeps) - 1} more" if len(sweeps) > 1 else ""
    trials = sum(len(one.log_rates) for one in sweeps)
    share = None if None in cpu else sum(cpu) / seconds
    aged = OTHER_VERSION if any(one.aged for one in sweeps) else 0.0
    return TrialSpeed(
        seconds,
        sum(one.train_flops for one in sweeps),
        sum(one.eval_flops for one in sweeps),
        setup_s=fmean(one.setup_s for one in sweeps),
        cpu_share=share,
        watts=None if None in energy else sum(energy) / seconds,
        spread=spread,
        doubt=math.hypot(doubt, aged, busy_doubt(share, kind.packing)),
        freedom=freedom,
        peak_memory_b=max((one.peak_memory_b for one in sweeps if one.peak_memory_b is not None), default=None),
        trials=trials,
        sweeps=len(sweeps),
        source=f"{trials} trials of {sweeps[0].sweep}{more}",
    )


def _overhead(tables: SweepTables, measured: Iterable[SweepSpeed]) -> Iterator[Overhead]:
    """What a sweep of one session took besides its trials, from the times of its reports."""
    epochs, elapsed = tables.epochs, tables.history.elapsed_s
    if len(tables.history.sessions) != 1 or elapsed is None or epochs.empty or epochs["repeated"].any():
        return
    first = epochs[~epochs.duplicated("trial")]
    began = (first["time_s"] - first["wall_s"]).sort_values()
    last, warm = float(epochs["time_s"].max()), 0.0
    speeds = tuple(measured)
    setup = [one.setup_s for one in speeds]
    ahead = first.loc[began.index[: tables.spec.resources.workers]]
    rest = epochs[epochs.duplicated("trial")]
    if len(rest):
        work = rest["wall_s"].sum() / rest["train_flops"].sum()
        beyond = float((ahead["wall_s"] - work * ahead["train_flops"]).mean())
        warm = max(0.0, beyond - (fmean(setup) if setup else 0.0))
    tested = tables.held_out.drop_duplicates(["trial", "evaluation"])
    test_s = max(0.0, float(tested["time_s"].max()) - last) if len(tested) else 0.0
    gaps = epochs.groupby(["trial", "attempt"])["time_s"].diff() - epochs["wall_s"]
    gap_s = max(0.0, float(gaps.median())) if gaps.notna().any() else 0.0
    start_s = max(0.0, elapsed - (last - float(began.iloc[0])) - test_s)
    beside_s = max(0.0, test_s - _evaluation_s(tables, speeds))
    yield Overhead(start_s, warm, gap_s, beside_s / max(1, len(tested)))


def _evaluation_s(tables: SweepTables, speeds: Sequence[SweepSpeed]) -> float:
    """Seconds that the evaluations on test take by their FLOPs, which a price adds by itself."""
    whole = tables.held_out.groupby(["trial", "evaluation"])[["inference_flops", "examples"]].max()
    flops = float((whole["inference_flops"] * whole["examples"]).sum())
    counted = sum(one.counted_flops for one in speeds)
    return EVAL_RATIO * flops * sum(one.seconds for one in speeds) / counted if counted else 0.0


def _mean_overhead(each: Sequence[Overhead]) -> Overhead | None:
    if not each:
        return None
    logs = [math.log(max(one.start_s, 0.1)) for one in each]
    return Overhead(
        fmean(one.start_s for one in each),
        fmean(one.warm_s for one in each),
        fmean(one.gap_s for one in each),
        fmean(one.test_s for one in each),
        doubt=pooled(logs, LEAST_DOUBT)[0],
        source=f"{len(each)} sessions",
    )
