"""`greenexp serve` under load, every answer checked: `python benchmarks/serve_load.py RUN [--seconds 60]`.

Starts the service on a trained model and asks it with 64 clients that keep their connections, each one request after
another: right ones (single, and 2 to 8 examples), malformed ones (no JSON, wrong fields), huge ones (over the limit,
with and without a declared length) and ones whose sender goes away. Every answer is compared with the engine's own, one
example at a time; texts that the engine itself answers otherwise in a batch (a confidence within rounding of the
threshold) are left out, and counted. Clients and service share the machine's cores. Exit code 1 if an answer was lost
or wrong, or the service did not end cleanly.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from load_clients import Expected, Tally, clients

from greenexp.api.models import examples_of_task
from greenexp.inference import EarlyExitEngine
from greenexp.inference.service.inputs import answer_fields
from greenexp.sources.checkpoints import find_model

MAX_BODY = 1_000_000
RSS_EVERY_S = 0.5
WARM_UP_SHARE = 0.25
"""Of the time: memory grows while pools and caches fill."""


@dataclass
class Memory:
    """Resident memory of a process, sampled by a thread; times_s, bytes: one of each per sample."""

    process: int
    times_s: list[float] = field(default_factory=list)
    sizes_b: list[float] = field(default_factory=list)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sampled for as long as this is open."""
        stop, began = threading.Event(), time.monotonic()

        def watch() -> None:
            while not stop.wait(RSS_EVERY_S):
                status = Path(f"/proc/{self.process}/status").read_text()
                self.sizes_b.append(1024 * float(re.search(r"VmRSS:\s+(\d+) kB", status)[1]))  # type: ignore[index]
                self.times_s.append(time.monotonic() - began)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def slope_mb_per_minute(self) -> tuple[float, float]:
        """After the warm-up, over all and over the second half of it."""
        times, sizes = np.array(self.times_s), np.array(self.sizes_b)
        slopes = []
        for share in (WARM_UP_SHARE, (1 + WARM_UP_SHARE) / 2):
            late = times >= share * times[-1]
            slopes.append(float(np.polyfit(times[late], sizes[late], 1)[0]) * 60 / 1e6)
        return slopes[0], slopes[1]


def offline(run: str, policy: str, count: int) -> tuple[list[Expected], int]:
    """What the engine says about the run's texts by itself, and how many texts were left out."""
    found = find_model(run)
    examples = examples_of_task(found, count)
    engine = EarlyExitEngine.load(found.folder, policy)
    alone = [engine.one(tokens) for tokens in examples.tokens]
    together = engine.answer(examples.tokens, 32)
    kept = []
    for text, first, second in zip(examples.texts, alone, together, strict=True):
        if (first.exit, first.prediction) == (second.exit, second.prediction):
            request = {"text": text} if isinstance(text, str) else {"text": text[0], "pair": text[1]}
            kept.append(Expected(request, answer_fields(first)))
    return kept, len(alone) - len(kept)


@contextmanager
def service(run: str, policy: str, options: list[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "greenexp", "serve", run, "--policy", policy, "--port", "0", *options]
    process = subprocess.Popen([*command, "--max-body", str(MAX_BODY)], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()  # type: ignore[union-attr]
        if not address:
            raise SystemExit("the service did not start")
        yield address, process
    finally:
        process.kill()
        process.wait()


def metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{address}/metrics") as response:
        lines = response.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def by_segment(seen: dict[str, float]) -> Iterator[tuple[float, float]]:
    """Batches and examples of each segment."""
    name, number = 'greenexp_segment_{}_total{{segment="{}"}}', 1
    while name.format("batches", number) in seen:
        yield seen[name.format("batches", number)], seen[name.format("examples", number)]
        number += 1


def table(given: argparse.Namespace, tally: Tally, memory: Memory, seen: dict[str, float], wall_s: float) -> None:
    def row(name: str, text: str) -> None:
        print(f"{name:24}{text}")

    sent = sum(tally.sent.values())
    row("load", f"{given.clients} clients, {wall_s:.1f} s, {sent:,} requests ({sent / wall_s:,.1f}/s)")
    row("", ", ".join(f"{count:,} {kind}" for kind, count in sorted(tally.sent.items())))
    row("examples answered", f"{tally.examples:,} ({tally.examples / wall_s:,.1f}/s), all compared")
    for kind in ("single", "several"):
        latency = 1e3 * np.array(tally.latency_s[kind] or [np.nan])
        p50, p90, p99 = np.percentile(latency, [50, 90, 99])
        row(f"latency, {kind}", f"p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms, most {latency.max():.1f} ms")
    batches = [f"{examples / max(1, count):.1f} ({count:,.0f})" for count, examples in by_segment(seen)]
    row("mean batch by segment", ", ".join(batches) + "   (batches)")
    row("mean layers", f"{seen['greenexp_mean_layers']:.3f}")
    sizes, (slope, late) = np.array(memory.sizes_b) / 1e6, memory.slope_mb_per_minute()
    warm = sizes[int(WARM_UP_SHARE * len(sizes)) :]
    row(
        "resident memory",
        f"first {sizes[0]:.1f} MB, after warm-up {warm[0]:.1f}, end {warm[-1]:.1f}, most {sizes.max():.1f}",
    )
    row("", f"slope after warm-up {slope:+.2f} MB/min, in its second half {late:+.2f} MB/min")
    parts = np.array_split(sizes, 6)
    row("", f"least in each sixth of the time: {', '.join(f'{part.min():.0f}' for part in parts)} MB")
    row("refused as it should be", ", ".join(f"{status}: {count:,}" for status, count in sorted(tally.refused.items())))
    row("clients gone", f"{seen['greenexp_clients_gone_total']:,.0f} noticed before their answer")
    row("cut off", f"{tally.cut:,} huge requests lost their connection before they read the refusal")
    row("left waiting", f"{seen['greenexp_queue_examples']:.0f} examples")
    row("lost", str(len(tally.lost)))
    row("wrong", str(len(tally.wrong)))


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", help="a sweep's folder")
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--clients", type=int, default=64)
    arguments.add_argument("--policy", default="max_probability:0.7")
    arguments.add_argument("--texts", type=int, default=500, help="different ones asked about")
    arguments.add_argument("--seed", type=int, default=0)
    given, options = arguments.parse_known_args()
    expected, left_out = offline(given.run, given.policy, given.texts)
    print(f"{'texts':24}{len(expected)} asked about, {left_out} left out as they depend on their batch", flush=True)
    with service(given.run, given.policy, options) as (address, process):
        memory = Memory(process.pid)
        began = time.monotonic()
        with memory.watched():
            tally = asyncio.run(clients(address, expected, given.clients, given.seconds, MAX_BODY, given.seed))
        wall_s = time.monotonic() - began
        seen = settled(address)
        process.terminate()
        code: Any = process.wait(60)
    table(given, tally, memory, seen, wall_s)
    for problem in [*tally.lost, *tally.wrong][:10]:
        print("!", problem)
    print(f"{'exit code':24}{code}")
    return int(bool(tally.lost or tally.wrong or code or seen["greenexp_queue_examples"]))


def settled(address: str) -> dict[str, float]:
    """The metrics once nothing waits any more, or after 10 s."""
    for _ in range(100):
        seen = metrics(address)
        if not seen["greenexp_queue_examples"]:
            break
        time.sleep(0.1)
    return seen


if __name__ == "__main__":
    sys.exit(main())
