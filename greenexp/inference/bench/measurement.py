"""A whole benchmark: the contest at each batch size, energy, tokenisation, the table of latencies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from greenexp.errors import InputError
from greenexp.inference.bench.contest import BatchResult, contest, requests_of
from greenexp.inference.bench.contestants import ENGINE, Contestants, EngineSettings, leaving_at
from greenexp.inference.bench.energy import measure_energy
from greenexp.inference.bench.examples import BenchExamples
from greenexp.inference.bench.latency import measure_latency
from greenexp.inference.bench.load import busy_warning
from greenexp.inference.bench.progress import BatchProgress
from greenexp.inference.bench.protocol import Protocol, Stopwatch, fixed_threads
from greenexp.inference.bench.report import BenchConditions, BenchedModel, BenchedPolicy, BenchReport, TimedExamples
from greenexp.inference.bench.tokenisation import Tokenisation, time_tokenisation
from greenexp.inference.graphs.folder import GraphFolder
from greenexp.inference.segments import Precision
from greenexp.meters import open_meters, survey
from greenexp.meters.machine import machine_facts
from greenexp.meters.nvml import visible_gpus
from greenexp.model import MultiExitModel, load_model, load_serving
from greenexp.replay.latency import write_latency
from greenexp.replay.serving_policy import ServingPolicy

LATENCY_REPEATS = 4
"""Times as many for the table of latencies: its cells are medians of single examples, not sums over many."""
_VERSIONS = ("python", "greenexp", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """How a model is timed.

    batch_sizes: examples per request, ascending; repeats: of all requests; compiled: through `torch.compile`
    check_every: K: consult every K-th exit; threads: of PyTorch, None for its own number; latency: the file that
    seconds by exit and length are written to, None for no such table
    graphs: the model's ONNX graphs, whose whole model is timed too; why_no_graphs: of None
    backend: who computes for the engines
    """

    batch_sizes: tuple[int, ...] = (1, 16, 64)
    repeats: int = 5
    device: str = "cpu"
    compiled: bool = False
    check_every: int = 1
    precision: Precision = "fp32"
    threads: int | None = None
    latency: Path | None = None
    graphs: GraphFolder | None = None
    why_no_graphs: str = ""
    backend: str = "torch"


@dataclass(frozen=True, slots=True)
class _Bench:
    """What every measurement of one benchmark shares."""

    options: BenchOptions
    model: MultiExitModel
    policy: ServingPolicy
    settings: EngineSettings
    contestants: Contestants
    examples: BenchExamples
    stopwatch: Stopwatch
    device: torch.device
    threads: int
    tell: Callable[[str], None]


def measure(
    folder: Path,
    trial: str,
    policy: ServingPolicy,
    examples: BenchExamples,
    options: BenchOptions,
    tell: Callable[[str], None],
) -> BenchReport:
    """Time the model saved in `folder`; tell: takes a line per step. Writes the table of latencies if it has a file.

    Raises InputError for a device that is not there, and as `EarlyExitEngine` and `PlainModel` do.
    """
    device = usable_device(options.device)
    not_measured = {"onnxruntime": options.why_no_graphs} if options.graphs is None else {}
    if warning := busy_warning():
        tell(f"warning: {warning}")
    with fixed_threads(options.threads) as threads:
        model, settings = load_model(folder, device=options.device), _settings(folder, policy, options)
        contestants = Contestants.of(model, policy.policy, settings, options.graphs)
        stopwatch = Stopwatch.of(device)
        bench = _Bench(options, model, policy, settings, contestants, examples, stopwatch, device, threads, tell)
        batches = tuple(_batch(bench, place, not_measured) for place in range(len(options.batch_sizes)))
        tokenisation = _tokenisation(bench, not_measured)
        if options.latency is not None:
            _write_latency(bench, options.latency)
    return BenchReport(
        model=BenchedModel(trial, model.backbone.num_layers, contestants.engines[ENGINE].consulted),
        policy=BenchedPolicy(policy.text, policy.notes),
        examples=TimedExamples.described(examples),
        conditions=_conditions(bench),
        batches=batches,
        tokenisation=tokenisation,
        latency_table=None if options.latency is None else str(options.latency),
        not_measured=not_measured,
        warnings=(warning,) if warning else (),
    )


def _settings(folder: Path, policy: ServingPolicy, options: BenchOptions) -> EngineSettings:
    return EngineSettings(
        serving=load_serving(folder),
        check_every=options.check_every,
        temperatures=policy.temperatures,
        compiled=options.compiled,
        precision=options.precision,
        graphs=options.graphs if options.backend == "onnxruntime" else None,
    )


def usable_device(name: str) -> torch.device:
    """The device of that name. Raises InputError for `cuda` where PyTorch finds no GPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no usable GPU on this machine")
    return torch.device(name)


def _batch(bench: _Bench, place: int, not_measured: dict[str, str]) -> BatchResult:
    """The contest at one batch size, and what it costs in joules; None without a counter."""
    sizes, repeats = bench.options.batch_sizes, bench.options.repeats
    later = repeats * (len(sizes) - place - 1)
    progress = BatchProgress(bench.tell, f"batch size {sizes[place]}", repeats, later)
    result = contest(
        bench.contestants, bench.examples.tokens, sizes[place], Protocol(repeats=repeats), bench.stopwatch, progress
    )
    energy_j = _energy_j(bench, sizes[place], result.plain_setting, not_measured, progress)
    return replace(result, energy_j=energy_j)


def _energy_j(
    bench: _Bench, size: int, plain_setting: str, not_measured: dict[str, str], progress: BatchProgress
) -> dict[str, float] | None:
    """Contestant -> joules per example above idle."""
    gpus = visible_gpus()[:1] if bench.device.type == "cuda" else ()
    can, why_not = survey(gpus=gpus)["energy_j"]
    if not can:
        not_measured["energy_j"] = why_not
        return None
    everybody = (*bench.contestants.timed, bench.contestants.plain[plain_setting], *bench.contestants.static)
    progress.step("measuring energy")
    with open_meters(gpus=gpus, exclusive=True) as meters:
        requests = requests_of(bench.examples.tokens, size)
        energy = measure_energy(everybody, requests, meters, bench.stopwatch, time.sleep)
    if energy.why_not:
        not_measured["energy_j" if not energy.joules else "energy_j (a part)"] = energy.why_not
    return dict(energy.joules) or None


def _tokenisation(bench: _Bench, not_measured: dict[str, str]) -> Tokenisation | None:
    bench.tell("timing tokenisation")
    encode = bench.contestants.engines[ENGINE].encode
    try:
        return time_tokenisation(encode, bench.examples.texts, bench.options.repeats, bench.stopwatch)
    except InputError as error:
        not_measured["tokenisation"] = str(error)
        return None


def _write_latency(bench: _Bench, path: Path) -> None:
    repeats = LATENCY_REPEATS * bench.options.repeats
    table = measure_latency(
        leaving_at(bench.model, bench.policy.policy, bench.settings),
        bench.examples.every_length,
        Protocol(repeats=repeats),
        bench.stopwatch,
        device=_words(bench.device),
        threads=bench.threads,
        precision=bench.options.precision,
        progress=BatchProgress(bench.tell, "exits by length", repeats),
    )
    write_latency(path, table)


def _conditions(bench: _Bench) -> BenchConditions:
    options = bench.options
    return BenchConditions(
        device=_words(bench.device),
        threads=bench.threads,
        precision=options.precision,
        backend=options.backend,
        compiled=options.compiled,
        check_every=options.check_every,
        repeats=options.repeats,
        versions={name: found for name, found in machine_facts()["versions"].items() if name in _VERSIONS},
    )


def _words(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return str(machine_facts()["machine"]["cpu"])
