"""All operating points from recorded logits, timed, and what it would take otherwise: `python benchmarks/replay.py`.

Logits are drawn: 9,815 examples (the size of MNLI's matched dev set) x 12 exits x 3 classes. What it is compared with:
- one pass over the record per threshold, measured on some thresholds and scaled;
- one run of a model per threshold at batch size 1, exit after exit until one is confident, as the official code of the
  encoder papers does it: a small random BERT, on some examples and some thresholds, scaled. A BERT of full width would
  take many times as long; the replay takes the same time for any model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from greenexp.backbones.base import TokenBatch
from greenexp.model.build import build_model
from greenexp.model.multi_exit import MultiExitModel
from greenexp.records.settings import ModelSettings
from greenexp.replay import ExitCosts, ExitRecord, budgeted_points, budgeted_thresholds, exits_taken, operating_points

EXAMPLES, EXITS, CLASSES, REPEATS, SUBSET = 9_815, 12, 3, 20, 100
WIDTH, VOCABULARY, RUN_EXAMPLES, RUN_THRESHOLDS = 128, 1_000, 64, 12


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


def timed(call: Callable[..., Any], *given: Any, repeats: int = REPEATS) -> str:
    """Median and least milliseconds of a call, in words."""
    call(*given)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call(*given)
        times.append(1e3 * (time.perf_counter() - begin))
    return f"{np.median(times):8.1f} ms (median of {repeats}; best {min(times):.1f})"


def one_by_one(record: ExitRecord, costs: ExitCosts, thresholds: np.ndarray) -> float:
    """Seconds per threshold when each is replayed for itself."""
    predictions, columns, everybody = record.predictions(), costs.columns(record.lengths), np.arange(EXAMPLES)
    begin = time.perf_counter()
    for threshold in thresholds:
        places = exits_taken(record, {"name": "max_probability", "threshold": float(threshold)}) - 1
        np.mean(predictions[places, everybody] == record.labels)
        np.mean(costs.dynamic_flops[places, columns])
    return (time.perf_counter() - begin) / len(thresholds)


def a_model() -> MultiExitModel:
    settings = {
        "backbone": {"name": "bert", "layers": EXITS, "hidden": WIDTH, "heads": 2},
        "exits": {"layers": "all", "head": {"name": "linear"}},
    }
    return build_model(ModelSettings.from_json(settings), CLASSES, VOCABULARY, pad_id=0, seed=0).eval()


@torch.inference_mode()
def run_until_confident(model: MultiExitModel, ids: torch.Tensor, threshold: float) -> int:
    """The exit taken by one example; no layer above it runs."""
    state = model.backbone.embed(TokenBatch(ids))
    for number in model.exits:
        state = model.backbone.layer(number - 1, state)
        if model.exit_logits(number, state).softmax(dim=1).max().item() >= threshold:
            return number
    return EXITS


def with_the_model(seed: int = 0) -> tuple[float, float]:
    """Seconds per example of one forward pass with all exits, and of a run at one threshold, both at batch size 1.

    The thresholds are spread evenly over the model's own operating points, so that all exits are taken.
    """
    rng, model = np.random.default_rng(seed), a_model()
    lengths = rng.integers(5, 129, RUN_EXAMPLES)
    texts = [torch.from_numpy(rng.integers(0, VOCABULARY, (1, length))) for length in lengths]
    with torch.inference_mode():
        for ids in texts[:20]:
            model(TokenBatch(ids))
        begin = time.perf_counter()
        logits = torch.cat([model(TokenBatch(ids)) for ids in texts], dim=1)
        whole_s = (time.perf_counter() - begin) / len(texts)
    record = ExitRecord(logits.numpy(), np.zeros(RUN_EXAMPLES), lengths)
    points = operating_points(record, "max_probability", model.exit_costs(lengths))
    points = points.iloc[np.linspace(0, len(points) - 1, RUN_THRESHOLDS).astype(int)]
    begin = time.perf_counter()
    taken = [[run_until_confident(model, ids, t) for ids in texts] for t in points["threshold"]]
    each_s = (time.perf_counter() - begin) / (len(texts) * len(points))
    layers = np.mean(taken, axis=1)
    if np.abs(layers - points["mean_layers"]).max() > 0.5:  # ties in the last bits may move an example or two
        raise SystemExit("the model and the replay do not leave at the same exits")
    return whole_s, each_s


def main() -> None:
    record, costs = a_record(), the_costs()
    points = operating_points(record, "max_probability", costs)
    print(f"record                     {EXAMPLES:,} examples x {EXITS} exits x {CLASSES} classes")
    print(f"max_probability            {len(points):,} operating points, exact")
    for metric in ("accuracy", "f1", "macro_f1", "matthews"):
        scored = record if metric != "f1" else ExitRecord(record.logits[:, :, :2], record.labels % 2, record.lengths)
        spent = timed(operating_points, scored, "max_probability", costs, metric)
        print(f"  all of them, {metric:<12}{spent}{' (two of the classes)' if metric == 'f1' else ''}")
    for family in ("entropy", "patience", "voting"):
        number = len(operating_points(record, family, costs))
        print(f"{family + f' ({number:,} points)':<27}{timed(operating_points, record, family, costs)}")
    print(f"thresholds for a budget    {timed(budgeted_thresholds, record, costs, 5e9, repeats=5)}")
    print(f"a curve of 50 budgets      {timed(budgeted_points, record, costs, repeats=1)}")
    subset = points["threshold"].to_numpy()[:: len(points) // SUBSET]
    each = one_by_one(record, costs, subset)
    print(f"one pass per threshold     {1e3 * each:8.1f} ms each, measured on {len(subset)} thresholds")
    print(f"  all {len(points):,} (scaled)     {each * len(points):8.0f} s")
    whole, run = with_the_model()
    print(f"running the model          {EXITS} layers of width {WIDTH}, batch 1, {torch.get_num_threads()} threads;")
    print(f"                           measured on {RUN_EXAMPLES} examples x {RUN_THRESHOLDS} thresholds, then scaled:")
    print(f"  one threshold            {1e3 * run:8.2f} ms per example, {run * EXAMPLES:.0f} s for {EXAMPLES:,}")
    print(f"  all {len(points):,}              {run * EXAMPLES * len(points) / 86_400:8.1f} days")
    print(f"  once, for the record     {1e3 * whole:8.2f} ms per example, {whole * EXAMPLES:.0f} s for {EXAMPLES:,}")


if __name__ == "__main__":
    main()
