"""What `greenexp bench` measures: the contest at each batch size, energy, tokenisation, the table of latencies."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from greenexp.cli.models.bench_examples import BenchExamples
from greenexp.cli.models.policies import AskedPolicy
from greenexp.errors import InputError
from greenexp.meters.machine import machine_facts
from greenexp.sources.checkpoints import FoundModel

if TYPE_CHECKING:
    import torch

    from greenexp.inference.bench import Contestants, EngineSettings, Stopwatch
    from greenexp.model import MultiExitModel

LATENCY_REPEATS = 4
"""Times as many for the table of latencies: its cells are medians of single examples, not sums over many."""


@dataclass(frozen=True, slots=True)
class BenchChoice:
    """The values of the command's options, but for what is done with the numbers."""

    source: str | None
    trial: str | None
    policy: str | None
    speed_up: float | None
    calibrated: bool
    check_every: int
    precision: str
    threads: int | None
    examples: int
    sizes: tuple[int, ...]
    repeats: int
    device: str
    compiled: bool


@dataclass(frozen=True, slots=True)
class _Bench:
    """What every measurement of one run shares."""

    choice: BenchChoice
    model: MultiExitModel
    asked: AskedPolicy
    settings: EngineSettings
    contestants: Contestants
    chosen: BenchExamples
    stopwatch: Stopwatch
    device: torch.device
    threads: int


def measure(
    choice: BenchChoice, found: FoundModel, asked: AskedPolicy, chosen: BenchExamples, latency: Path | None
) -> dict[str, Any]:
    """Everything that was measured, in plain values; `not_measured`: what -> why. Writes the table to `latency`."""
    from greenexp.inference.bench import Contestants, EngineSettings, Stopwatch, fixed_threads
    from greenexp.model import load_model, load_serving

    device = _device(choice.device)
    settings = EngineSettings(
        serving=load_serving(found.folder),
        check_every=choice.check_every,
        temperatures=asked.temperatures,
        compiled=choice.compiled,
        precision="bf16" if choice.precision == "bf16" else "fp32",
    )
    with fixed_threads(choice.threads) as threads:
        model = load_model(found.folder, device=choice.device)
        contestants = Contestants.of(model, asked.policy, settings)
        stopwatch = Stopwatch.of(device)
        bench = _Bench(choice, model, asked, settings, contestants, chosen, stopwatch, device, threads)
        not_measured: dict[str, str] = {}
        batches = [_batch(bench, size, not_measured) for size in choice.sizes]
        tokenisation = _tokenisation(bench, not_measured)
        if latency is not None:
            _write_latency(bench, latency)
    return {
        "model": {"trial": found.trial, "layers": model.backbone.num_layers, "consulted": _consulted(contestants)},
        "policy": {"text": asked.text, "notes": list(asked.notes)},
        "examples": _described(chosen),
        "conditions": _conditions(bench),
        "batches": batches,
        "tokenisation": tokenisation,
        "latency_table": None if latency is None else str(latency),
        "not_measured": not_measured,
    }


def _batch(bench: _Bench, size: int, not_measured: dict[str, str]) -> dict[str, Any]:
    """The contest at one batch size, and what it costs in joules; null without a counter."""
    from greenexp.inference.bench import Protocol, contest

    click.echo(f"timing batch size {size}", err=True)
    examples, protocol = bench.chosen.tokens, Protocol(repeats=bench.choice.repeats)
    result = contest(bench.contestants, examples, size, protocol, bench.stopwatch)
    energy = _energy(bench, size, result.plain_setting, not_measured)
    return {**asdict(result), "energy_j": energy}


def _energy(bench: _Bench, size: int, plain_setting: str, not_measured: dict[str, str]) -> dict[str, float] | None:
    """Contestant -> joules per example above idle."""
    from greenexp.inference.bench import measure_energy, requests_of
    from greenexp.meters import open_meters, survey
    from greenexp.meters.nvml import visible_gpus

    gpus = visible_gpus()[:1] if bench.device.type == "cuda" else ()
    can, why_not = survey(gpus=gpus)["energy_j"]
    if not can:
        not_measured["energy_j"] = why_not
        return None
    everybody = (*bench.contestants.timed, bench.contestants.plain[plain_setting])
    with open_meters(gpus=gpus, exclusive=True) as meters:
        requests = requests_of(bench.chosen.tokens, size)
        energy = measure_energy(everybody, requests, meters, bench.stopwatch, time.sleep)
    if energy.why_not:
        not_measured["energy_j" if not energy.joules else "energy_j (a part)"] = energy.why_not
    return dict(energy.joules) or None


def _tokenisation(bench: _Bench, not_measured: dict[str, str]) -> dict[str, float] | None:
    from greenexp.inference.bench import time_tokenisation
    from greenexp.inference.bench.contestants import ENGINE

    encode = bench.contestants.engines[ENGINE].encode
    try:
        return asdict(time_tokenisation(encode, bench.chosen.texts, bench.choice.repeats, bench.stopwatch))
    except InputError as error:
        not_measured["tokenisation"] = str(error)
        return None


def _write_latency(bench: _Bench, path: Path) -> None:
    from greenexp.inference.bench import Protocol, leaving_at, measure_latency
    from greenexp.replay.latency import write_latency

    click.echo("timing exits by length", err=True)
    table = measure_latency(
        leaving_at(bench.model, bench.asked.policy, bench.settings),
        bench.chosen.every_length,
        Protocol(repeats=LATENCY_REPEATS * bench.choice.repeats),
        bench.stopwatch,
        device=_words(bench.device),
        threads=bench.threads,
        precision=bench.choice.precision,
    )
    write_latency(path, table)


def _described(chosen: BenchExamples) -> dict[str, Any]:
    lengths = np.array([len(one.ids) for one in chosen.tokens])
    return {
        "split": chosen.split,
        "of": chosen.total,
        "count": len(lengths),
        "shortest": int(lengths.min()),
        "median_length": float(np.median(lengths)),
        "longest": int(lengths.max()),
    }


def _conditions(bench: _Bench) -> dict[str, Any]:
    choice = bench.choice
    return {
        "device": _words(bench.device),
        "threads": bench.threads,
        "precision": choice.precision,
        "compiled": choice.compiled,
        "check_every": choice.check_every,
        "repeats": choice.repeats,
        "versions": {name: found for name, found in machine_facts()["versions"].items() if name in _VERSIONS},
    }


_VERSIONS = ("python", "greenexp", "torch", "transformers")


def _consulted(contestants: Contestants) -> list[int]:
    from greenexp.inference.bench.contestants import ENGINE

    return list(contestants.engines[ENGINE].consulted)


def _device(name: str) -> torch.device:
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no usable GPU on this machine")
    return torch.device(name)


def _words(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return str(machine_facts()["machine"]["cpu"])
