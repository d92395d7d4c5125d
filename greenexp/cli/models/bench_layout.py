"""What `greenexp bench` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenexp.inference.bench import BatchResult, Ratio
    from greenexp.inference.bench.report import BenchReport


def report_lines(report: BenchReport) -> Iterator[str]:
    """What was measured, on what, and last what was not and why."""
    yield from _head(report)
    for batch in report.batches:
        yield ""
        yield from _times(batch)
    yield ""
    yield from _saved(report.batches)
    yield ""
    yield from _foot(report)


def _head(report: BenchReport) -> Iterator[str]:
    model, policy, examples, how = report.model, report.policy, report.examples, report.conditions
    yield f"model         {model.trial} · {model.layers} layers, exits {_listed(model.consulted)} consulted"
    yield f"policy        {policy.text}"
    for note in policy.notes:
        yield f"              {note}"
    lengths = f"{examples.shortest} to {examples.longest} tokens, median {examples.median_length:g}"
    yield f"timed on      {examples.count} of {examples.of} {examples.split} examples, {lengths}"
    compiled = ", compiled" if how.compiled else ""
    yield f"              {how.device}, {how.threads} thread(s), {how.backend}, {how.precision}{compiled}"
    versions = " · ".join(f"{name} {version}" for name, version in how.versions.items())
    yield f"              {versions}"


def _times(batch: BatchResult) -> Iterator[str]:
    size, count = batch.batch_size, batch.requests
    what = "one by one, unpadded" if size == 1 else f"batches of {size}, of similar length"
    yield f"{what}: {count} requests, {batch.warm_ups} warm-ups or more of each shape before"
    energy = batch.energy_j
    yield f"{'':42}{'p50':>11}{'p90':>11}{'p99':>11}{'mean':>11}{'examples/s':>12}" + (
        f"{'J/example':>12}" if energy else ""
    )
    for row in batch.speeds:
        is_plain = row.contestant.startswith("plain")
        name = f"{row.contestant} ({batch.plain_setting})" if is_plain else row.contestant
        cells = "".join(f"{_duration(seconds):>11}" for seconds in (row.p50_s, row.p90_s, row.p99_s, row.mean_s))
        joules = f"{energy[row.contestant]:>12.3g}" if energy else ""
        yield f"  {name:40}{cells}{row.examples_per_s:>12,.1f}{joules}"
    shares = " · ".join(f"exit {number} {share:.0%}" for number, share in batch.exit_shares.items())
    yield f"  left at: {shares}"


def _saved(batches: Sequence[BatchResult]) -> Iterator[str]:
    yield "speed-up: the engine without exits over the engine; median over repeats (range), [of the shortest times]"
    yield f"  {'batch':>5}{'layers':>10}{'FLOPs':>10}   {'wall clock':28}{'plain / engine':28}{'every exit evaluated'}"
    for batch in batches:
        saved = batch.saved
        counted = f"{batch.batch_size:>5}{saved.layers:>10.2f}{saved.flops:>10.2f}"
        measured = f"{_ratio(saved.wall_clock):28}{_ratio(batch.plain_over_engine):28}"
        yield f"  {counted}   {measured}{_ratio(batch.exits_cost, 3)}"
    yield "  every exit evaluated: time / time of the engine without exits; no example exits early"
    tried = sorted({setting for batch in batches for setting in batch.plain_tried})
    agree = min(batch.plain_agrees for batch in batches)
    yield f"  plain: fastest of {_listed(tried)}; answers as the engine without exits to {agree:.1%} of the examples"
    yield "early exit against the fastest model without it: seconds of that model / of the engine"
    for batch in batches:
        name, static = batch.best_static
        verdict = "early exit is faster" if static.median > 1 else "early exit is not faster"
        agrees = batch.static_agrees.get(name)
        same = "" if agrees is None else f", answers as the engine without exits to {agrees:.1%}"
        yield f"  {batch.batch_size:>5}  {_ratio(static):28}{name}{same}: {verdict}"


def _foot(report: BenchReport) -> Iterator[str]:
    times = report.tokenisation
    if times is not None:
        p50, p99 = _duration(times.p50_s), _duration(times.p99_s)
        yield f"tokenisation  {p50} per text (p99 {p99}), not in the times above"
    if report.latency_table is not None:
        yield f"latencies     {report.latency_table}"
    for what, why in report.not_measured.items():
        yield f"not measured  {what}: {why}"


def _duration(seconds: float) -> str:
    """Three digits in s, ms or µs: requests take less than what `units.format_duration` resolves."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{seconds / factor:#.3g} {unit}" if seconds < 999.5 * factor else f"{seconds / factor:,.0f} {unit}"
    return f"{seconds / 1e-6:#.3g} µs"


def _ratio(ratio: Ratio, digits: int = 2) -> str:
    """`1.85 (1.80-1.90) [1.86]`."""
    values = (ratio.median, ratio.low, ratio.high, ratio.of_minima)
    median, low, high, least = (f"{value:.{digits}f}" for value in values)
    return f"{median} ({low}-{high}) [{least}]"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
