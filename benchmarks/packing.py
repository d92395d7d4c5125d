"""Several seeds at once: as one stacked model, in processes side by side, and one after the other.

    python benchmarks/packing.py [--shapes tiny,minilm-l6] [--seeds 2,4] [--steps N] [--rounds N]
    python benchmarks/packing.py --gpu

Each way trains the same seeds (random weights, other orders of the same generated sentences, AdamW, dropout 0.1, fp32
on a CPU and bf16 on a GPU) through greenexp's own `TrialRun` and `FusedRuns`, without Ray. A round is `steps` steps of
every seed and a report on few dev examples; the ways take turns within a round, and the medians over rounds and of the
rounds' ratios are printed. Everything is built before the first round.

With `--gpu`, for one GPU and at most eight minutes: trials per hour of one trial on the GPU, of 2, 4 and 8 processes
that share it, of as many under NVIDIA's MPS (where `nvidia-cuda-mps-control` is installed; it is started and ended
here), and of as many seeds as one model. A trial is `TRIAL_STEPS` steps.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import multiprocessing
import operator
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSeeds, TrialSpec

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"layers": 2, "hidden": 128, "heads": 2},
    "minilm-l6": {"layers": 6, "hidden": 384, "heads": 12},
    "bert-base": {"layers": 12, "hidden": 768, "heads": 12},
}
VOCABULARY = 30_522
BATCH, DEV = 32, 20
TRIAL_STEPS = 3 * 67_349 // BATCH
"""Three epochs of SST-2."""
GPU_WAYS = (2, 4, 8)
GPU_SECONDS = 8 * 60.0


def settings_of(shape: str, epochs: int, precision: str) -> Settings:
    """A trial's settings: the default heads after every layer, trained jointly."""
    sections: dict[str, Any] = {
        "task": {"name": "clauses"},
        "backbone": {"name": "bert", **SHAPES[shape], "dropout": 0.1, "pooling": "cls"},
        "exits": {"layers": "all", "head": {"name": "linear"}},
        "method": {"name": "branchynet"},
        "training": {"epochs": epochs, "batch_size": BATCH, "learning_rate": 1e-4, "precision": precision},
        "metric": {},
        "compression": {"name": "none"},
    }
    return Settings.from_json(sections)


class Seeds:
    """Some seeds of one configuration in this process, ready to train report by report."""

    def __init__(self, first: int, count: int, shape: str, steps: int, gpu: bool, fused: bool) -> None:
        from greenexp.meters import open_meters
        from greenexp.meters.shared import SharedMeters
        from greenexp.tasks.clauses import Clauses
        from greenexp.tasks.tokens import tokenise, word_tokenizer
        from greenexp.training import TrialRun
        from greenexp.training.fused import FusedRuns

        task = Clauses(train=steps * BATCH, dev=DEV, test=DEV).load()
        tokens = tokenise(task, word_tokenizer(task.train.texts), 64)
        data = dataclasses.replace(tokens, vocab_size=VOCABULARY)
        settings = settings_of(shape, 10_000, "bf16" if gpu else "fp32")
        self.shared = SharedMeters(open_meters(gpus=["0"] if gpu else [], cpus=1, exclusive=True))
        members = [self.shared.member() for _ in range(count)]
        self.runs = [
            TrialRun(TrialSpec(f"s{seed}", "c000", seed, settings, {}, TrialSeeds(seed, seed)), data, meters=member)
            for seed, member in zip(range(first, first + count), members, strict=True)
        ]
        self.group = FusedRuns(self.shared, count) if fused else None

    def round(self) -> list[float | None]:
        """Each seed's next report; its joules."""
        if self.group is None:
            return [next(run).costs.energy_j for run in self.runs]
        found = self.group.train_on(self.runs, lambda: False).values()
        return [record.costs.energy_j for outcome in found if (record := outcome.get()) is not None]

    def padding(self) -> float:
        """Tokens that one model computes per token that the seeds compute alone, over an epoch."""
        trainers = [run.begin().work.trainer for run in self.runs]
        epochs = [[(len(rows), int(one.split.lengths[rows].max())) for rows, _ in one.batches(1)] for one in trainers]
        together = [len(step) * max(n for n, _ in step) * max(m for _, m in step) for step in zip(*epochs, strict=True)]
        return sum(together) / sum(examples * tokens for epoch in epochs for examples, tokens in epoch)


def child(pipe: Connection, environment: dict[str, str], arguments: tuple[Any, ...]) -> None:
    """A process of one seed: builds it, then makes a round whenever it is told to."""
    os.environ.update(environment)
    try:
        seeds = Seeds(*arguments)
        seeds.round()
        pipe.send("ready")
        while pipe.recv():
            begun = time.perf_counter()
            seeds.round()
            pipe.send(time.perf_counter() - begun)
    except EOFError:  # the parent has ended
        return
    except Exception as error:  # out of memory, a driver without MPS: said, not raised
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0])


class Processes:
    """Processes of one seed each, of which the first few can be asked to train at the same time."""

    def __init__(self, count: int, shape: str, steps: int, gpu: bool, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        self.children: list[Any] = []
        for number in range(count):
            ours, theirs = context.Pipe()
            arguments = (theirs, environment, (number, 1, shape, steps, gpu, False))
            made = context.Process(target=child, args=arguments, daemon=True)
            made.start()
            theirs.close()
            self.pipes.append(ours)
            self.children.append(made)
        for pipe in self.pipes:
            if (told := pipe.recv()) != "ready":
                raise RuntimeError(told)

    def round(self, count: int) -> float:
        """Seconds until the first `count` of them have made a round."""
        begun = time.perf_counter()
        for pipe in self.pipes[:count]:
            pipe.send(True)
        for pipe in self.pipes[:count]:
            if isinstance(told := pipe.recv(), str):
                raise RuntimeError(told)
        return time.perf_counter() - begun

    def close(self) -> None:
        """End them."""
        for pipe, made in zip(self.pipes, self.children, strict=True):
            pipe.close()
            made.join(10)
            made.kill()


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds elapsed, and CPU seconds of this process, all threads."""
    begun, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - begun, time.process_time() - cpu


def on_cpu(shapes: Sequence[str], counts: Sequence[int], steps: int, rounds: int) -> None:
    """The tables of this machine: milliseconds per seed and step, and how much faster than one after the other."""
    print(f"{os.cpu_count()} cores, one thread per process, load {os.getloadavg()[0]:.1f} at the start")
    print("| shape | seeds | one after the other | processes | one model | CPU: one after the other | CPU: one model |")
    print("|---|---|---|---|---|---|---|")
    rows = [(shape, count, *_measured(shape, count, steps, rounds)) for shape in shapes for count in counts]
    print("\n| shape | seeds | faster: processes | faster: one model | less CPU: one model | padding | energy |")
    print("|---|---|---|---|---|---|---|")
    for shape, count, ratios, padding, energy in rows:
        print(f"| {shape} | {count} | " + " | ".join(f"{ratio:.2f}" for ratio in (*ratios, padding)) + f" | {energy} |")


def _measured(shape: str, count: int, steps: int, rounds: int) -> tuple[list[float], float, str]:
    """Prints the medians; the medians of the rounds' ratios, the share of padding, and joules."""
    alone, fused = (Seeds(0, count, shape, steps, False, one) for one in (False, True))
    processes = Processes(count, shape, steps, False, {})
    joules: list[float | None] = [*alone.round(), *fused.round()]  # caches are filled
    took = [(*timed(alone.round), processes.round(count), *timed(fused.round)) for _ in range(rounds)]
    processes.close()
    one, one_cpu, side, model, model_cpu = (
        [1e3 * seconds / count / steps for seconds in way] for way in zip(*took, strict=True)
    )
    shown = " | ".join(f"{statistics.median(way):.0f} ms" for way in (one, side, model, one_cpu, model_cpu))
    print(f"| {shape} | {count} | {shown} |", flush=True)
    pairs = ((one, side), (one, model), (one_cpu, model_cpu))
    ratios = [statistics.median(map(operator.truediv, before, after)) for before, after in pairs]
    energy = "not measured" if None in joules else f"{sum(filter(None, joules)):.0f} J"
    return ratios, fused.padding(), energy


@contextlib.contextmanager
def mps() -> Iterator[dict[str, str] | None]:
    """NVIDIA's multi-process service in a folder of its own: what its clients need to know; None where it is absent."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        for path in environment.values():
            Path(path).mkdir()
        started = subprocess.run([control, "-d"], env={**os.environ, **environment}, check=False)
        try:
            yield environment if started.returncode == 0 else None
        finally:
            subprocess.run([control], input="quit\n", text=True, env={**os.environ, **environment}, check=False)


def on_gpu(shapes: Sequence[str], steps: int, rounds: int) -> None:
    """Trials per hour on one GPU, way by way; what does not fit into the time is left out and said."""
    end = time.monotonic() + GPU_SECONDS
    print("| shape | way | trials at a time | trials per hour |\n|---|---|---|---|")
    for shape in shapes:
        for count in (1, *GPU_WAYS):
            way, took = "one trial" if count == 1 else "one model", partial(_fused, shape, count, steps, rounds)
            _said(shape, way, count, end, steps, took)
        with contextlib.ExitStack() as stack:
            for way, environment in (("processes", {}), ("MPS", stack.enter_context(mps()))):
                if environment is None:
                    print(f"| {shape} | MPS | | not installed |", flush=True)
                    continue
                _packed(shape, way, environment, end, steps, rounds)


def _packed(shape: str, way: str, environment: dict[str, str], end: float, steps: int, rounds: int) -> None:
    try:
        processes = Processes(max(GPU_WAYS), shape, steps, True, environment)
    except (RuntimeError, EOFError) as error:
        print(f"| {shape} | {way} | {max(GPU_WAYS)} | {error or 'a process died'} |", flush=True)
        return
    for count in GPU_WAYS:
        _said(shape, way, count, end, steps, partial(_together, processes, count, rounds))
    processes.close()


def _together(processes: Processes, count: int, rounds: int) -> float:
    return statistics.median(processes.round(count) for _ in range(rounds))


def _fused(shape: str, count: int, steps: int, rounds: int) -> float:
    import torch

    seeds = Seeds(0, count, shape, steps, True, count > 1)
    seeds.round()

    def one() -> None:
        seeds.round()
        torch.cuda.synchronize()

    return statistics.median(timed(one)[0] for _ in range(rounds))


def _said(shape: str, way: str, count: int, end: float, steps: int, took: Callable[[], float]) -> None:
    """A line of the table; took: seconds of a round of all."""
    if time.monotonic() > end:
        rate = "left out: the time is up"
    else:
        try:
            rate = f"{count * 3600 / (took() / steps * TRIAL_STEPS):.1f}"
        except Exception as error:  # out of memory at this many is an answer
            rate = f"{type(error).__name__}: {error}".splitlines()[0]
    print(f"| {shape} | {way} | {count} | {rate} |", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--gpu", action="store_true")
    arguments.add_argument("--shapes", help="of tiny, minilm-l6, bert-base")
    arguments.add_argument("--seeds", default="2,4")
    arguments.add_argument("--steps", type=int, help="of a round")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    if given.gpu:
        on_gpu((given.shapes or "minilm-l6,bert-base").split(","), given.steps or 40, given.rounds)
    else:
        counts = [int(count) for count in given.seeds.split(",")]
        on_cpu((given.shapes or "tiny,minilm-l6").split(","), counts, given.steps or 6, given.rounds)


if __name__ == "__main__":
    main()
