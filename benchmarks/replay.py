"""All operating points of maximum probability from recorded logits, timed: `python benchmarks/replay.py`.

Beside it the same staircase by one pass over the record per threshold, measured on a subset of thresholds and scaled.
Logits are drawn: 9,815 examples (the size of MNLI's matched dev set) x 12 exits x 3 classes.
"""

from __future__ import annotations

import time

import numpy as np

from greenexp.records import ExitCosts, ExitRecord, exits_taken, operating_points

EXAMPLES, EXITS, CLASSES, REPEATS, SUBSET = 9_815, 12, 3, 20, 100


def a_record(seed: int = 0) -> ExitRecord:
    """Logits that grow and get better from exit to exit."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, EXAMPLES)
    logits = rng.normal(size=(EXITS, EXAMPLES, CLASSES)) * np.linspace(1, 4, EXITS)[:, None, None]
    logits[:, np.arange(EXAMPLES), labels] += np.linspace(0.5, 4, EXITS)[:, None]
    return ExitRecord(logits, labels, rng.integers(5, 129, EXAMPLES))


def the_costs() -> ExitCosts:
    """A layer of width 768: 14 MFLOP per token, plus attention; a pooler and a head at each exit."""
    layers, lengths = np.arange(1, EXITS + 1), np.arange(5, 129)
    layer = 14_155_776 * lengths + 3_072 * lengths**2
    exits = 1_180_000 * layers[:, None]
    return ExitCosts(layers, lengths, layers[:, None] * layer + 1_180_000, layers[:, None] * layer + exits)


def one_by_one(record: ExitRecord, costs: ExitCosts, thresholds: np.ndarray) -> float:
    """Seconds per threshold when each is replayed for itself."""
    predictions, columns, everybody = record.predictions(), costs.columns(record.lengths), np.arange(EXAMPLES)
    begin = time.perf_counter()
    for threshold in thresholds:
        places = exits_taken(record, {"name": "max_probability", "threshold": float(threshold)}) - 1
        np.mean(predictions[places, everybody] == record.labels)
        np.mean(costs.dynamic_flops[places, columns])
    return (time.perf_counter() - begin) / len(thresholds)


def main() -> None:
    record, costs = a_record(), the_costs()
    points = operating_points(record, "max_probability", costs)
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        operating_points(record, "max_probability", costs)
        times.append(time.perf_counter() - begin)
    subset = points["threshold"].to_numpy()[:: len(points) // SUBSET]
    each = one_by_one(record, costs, subset)
    median, least = np.median(times), min(times)
    print(f"record                    {EXAMPLES:,} examples x {EXITS} exits x {CLASSES} classes")
    print(f"operating points          {len(points):,}, exact")
    print(f"all of them               {1e3 * median:.1f} ms (median of {REPEATS}; best {1e3 * least:.1f})")
    print(f"one pass per threshold    {1e3 * each:.1f} ms each, measured on {len(subset)}")
    print(
        f"                          {each * len(points):.0f} s for all (scaled): {each * len(points) / median:,.0f} x"
    )


if __name__ == "__main__":
    main()
