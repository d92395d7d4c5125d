"""What recorded sweeps say of a machine's speed: set-up apart, sweeps pooled, and the journal's answer is MLflow's."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from stand_ins import Sweep, Workers
from told import tells

import greenexp
from greenexp.meters.machine import machine_facts
from greenexp.records.settings import Settings
from greenexp.records.speeds import EVAL_RATIO, FLOOR, TrialKind
from greenexp.records.tables import typed_frame
from greenexp.sources.recorded_speed import _of_sweep, _overhead, _settings, recorded_speeds

PACKING = (2, 1, 0.0)
FIFO = {"name": "fifo"}


def record(folder: Path, *, rate: float = 2e-9, setup_s: float = 3.0, **more: float) -> Settings:
    """Two trials of nine epochs of 1e9 and 5e8 FLOPs at `rate` seconds per FLOP, after a set-up."""

    def costs(_trial: Any, epoch: int, _again: bool) -> dict[str, float | None]:
        wall_s = rate * (1e9 + EVAL_RATIO * 5e8) + (setup_s if epoch == 1 else 0.0)
        return {"wall_s": wall_s, "cpu_s": 0.9 * wall_s, "eval_flops": 5e8, **more}

    folder.mkdir(parents=True)
    sweep = Sweep(folder)
    sweep.spec |= {"training": {"epochs": 9}, "resources": {"workers": 2}}
    conductor = sweep.open(configurations=1, scheduler=FIFO, facts=machine_facts())
    Workers(conductor, costs=costs).play()
    conductor.close()
    conductor.journal.close()
    return next(iter(conductor.state.trials.values())).spec.settings


def test_set_up_is_no_part_of_the_speed(tmp_path: Path) -> None:
    settings = record(tmp_path / "one")
    speeds = recorded_speeds(machine_facts(), tmp_path)
    speed = speeds.of(TrialKind.of(settings, PACKING))
    assert speed is not None
    assert speed.per_flop(EVAL_RATIO) == pytest.approx(2e-9)
    assert speed.setup_s == pytest.approx(3.0)
    assert (speed.trials, speed.sweeps, speed.watts) == (2, 1, None)
    assert speed.doubt == pytest.approx(FLOOR * math.sqrt(2))
    assert speeds.overhead is not None


def test_a_searched_field_of_what_the_file_leaves_out(tmp_path: Path) -> None:
    record(tmp_path / "one")
    tables = greenexp.load(tmp_path / "one").tables
    assert tables.spec.exits.head is None
    searched = dataclasses.replace(tables, trials=tables.trials.assign(**{"params.exits.head.name": ["pooled", None]}))
    heads = [_settings(searched, row).exits.head for row in searched.trials.to_dict("records")]
    assert [None if head is None else head.name for head in heads] == ["pooled", None]


def test_what_its_flops_explain_of_the_test_evaluation_is_not_counted_twice(tmp_path: Path) -> None:
    record(tmp_path / "one")
    tables = greenexp.load(tmp_path / "one").tables
    once = {"trial": tables.trials["trial"].iloc[0], "configuration": "c000", "evaluation": 1, "epoch": 9, "score": 0.5}
    at = {"time_s": tables.epochs["time_s"].max() + 5.0, "examples": 10, "exit": 1, "layer": 1, "inference_flops": 1e8}
    tested = dataclasses.replace(tables, held_out=typed_frame("held_out", [{**once, **at}]))
    ((_, speed),) = _of_sweep("one", tested, machine_facts())
    (overhead,) = _overhead(tested, [speed])
    assert overhead.test_s == pytest.approx(5.0 - EVAL_RATIO * 1e9 * 2e-9)


def test_the_largest_memory_is_that_of_whole_batches(tmp_path: Path) -> None:
    settings = record(tmp_path / "one", peak_memory_b=3e8)
    record(tmp_path / "two", peak_memory_b=5e8)
    kind = dataclasses.replace(TrialKind.of(settings, PACKING), packing=(9, 1, 0.0))
    peak = recorded_speeds(machine_facts(), tmp_path).peak_memory(kind)
    assert peak is not None
    assert peak[0] == 5e8
    tables = greenexp.load(tmp_path / "two").tables
    divided = tables.epochs.assign(micro_batch_size=tables.epochs["epoch"].where(tables.epochs["epoch"] > 1))
    ((_, speed),) = _of_sweep(
        "two", dataclasses.replace(tables, epochs=divided.astype({"micro_batch_size": "Int64"})), {}
    )
    assert speed.peak_memory_b == 5e8
    whole = tables.epochs.assign(micro_batch_size=4)
    ((_, speed),) = _of_sweep("two", dataclasses.replace(tables, epochs=whole), {})
    assert speed.peak_memory_b is None
    longer = dataclasses.replace(kind, max_length=kind.max_length + 1)
    assert recorded_speeds(machine_facts(), tmp_path).peak_memory(longer) is None


def test_sweeps_that_differ_leave_more_doubt(tmp_path: Path) -> None:
    settings = record(tmp_path / "one", energy_j=10.0)
    record(tmp_path / "two", rate=4e-9, energy_j=20.0)
    speed = recorded_speeds(machine_facts(), tmp_path).of(TrialKind.of(settings, PACKING))
    assert speed is not None
    assert (speed.trials, speed.sweeps) == (4, 2)
    assert 2e-9 < speed.per_flop(EVAL_RATIO) < 4e-9
    assert speed.doubt > 2 * FLOOR
    assert speed.watts == pytest.approx(10.0 / (2 + EVAL_RATIO))


def test_another_packing_is_said(tmp_path: Path) -> None:
    settings = record(tmp_path / "one")
    alone = recorded_speeds(machine_facts(), tmp_path).of(TrialKind.of(settings, (1, 1, 0.0)))
    assert alone is not None
    assert tells(alone.source, "one … 2 trials at a time")


def test_another_device_or_torch_is_another_machine(tmp_path: Path) -> None:
    settings = record(tmp_path / "one")
    machine = machine_facts()
    known = recorded_speeds(machine, tmp_path).of(TrialKind.of(settings, PACKING))
    newer = {**machine, "versions": {**machine["versions"], "torch": "99.0"}}
    aged = recorded_speeds(newer, tmp_path).of(TrialKind.of(settings, PACKING))
    assert known is not None
    assert aged is not None
    assert aged.doubt > known.doubt
    more = {**machine, "machine": {**machine["machine"], "cpus": 128}}
    nothing = recorded_speeds(more, tmp_path)
    assert nothing.shapes == {}
    assert any("another type of machine" in note for note in nothing.notes)


def test_what_took_no_time_cannot_be_understood(tmp_path: Path) -> None:
    record(tmp_path / "one", rate=0.0)
    speeds = recorded_speeds(machine_facts(), tmp_path)
    assert speeds.shapes == {}
    settings = record(tmp_path / "two")
    assert recorded_speeds(machine_facts(), tmp_path).of(TrialKind.of(settings, PACKING)) is not None


def test_an_empty_folder_says_so_and_what_has_not_begun_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "journal.jsonl").touch()
    speeds = recorded_speeds(machine_facts(), tmp_path)
    assert (speeds.shapes, speeds.overhead) == ({}, None)
    (tmp_path / "empty").mkdir()
    assert any("no sweep" in note for note in recorded_speeds(machine_facts(), tmp_path / "empty").notes)
