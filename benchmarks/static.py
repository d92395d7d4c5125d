"""Static baselines of a sweep beside early exit: `python benchmarks/static.py OUT [--markdown]`.

Printed per configuration: the dev score of its last exit over the finished seeds, what is left of the model (layers,
parameters, bytes of its weights, FLOPs per dev example), and seconds at batch 1 and 32 as ratios to the first
configuration. For methods that train several exits, a second table has their scores and FLOPs at speed-ups of 1.5 and
2, thresholds chosen on one half of dev and judged on the other, and a third one the differences, over the same seeds,
between those at a speed-up of 2 by entropy and the static models of as many layers.

Seconds are of models of the same shape, built anew, since a sweep keeps the weights of its chosen configuration alone:
dense products take as long whatever their numbers are. One thread, fp32, 24 tokens, no padding; the contestants
alternate in a random order every round, and the ratio is that of medians. Seconds of a model that leaves early are not
measured here: `greenexp bench` does that.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from methods_scores import TARGETS, at, read_sweep

from greenexp.analysis.comparing.paired_comparisons import compare_paired
from greenexp.analysis.exits.exit_means import exit_scores
from greenexp.analysis.sweeps.repetitions import SEEDS
from greenexp.backbones.base import TokenBatch
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.methods.depth import cut_to
from greenexp.model import MultiExitModel, build_model
from greenexp.model.reduction import reduced
from greenexp.records.settings import Settings

TOKENS, ROUNDS = 24, 15


def shaped(settings: Settings, exits: Sequence[int] | None = None) -> MultiExitModel:
    """A model with the shape that a trial's model has when it is served, and new heads."""
    compression = settings.compression.plugin()
    depth = settings.method.options.get("layers")
    asked = cut_to(settings.model, depth if isinstance(depth, int) else None, settings.method.name)
    model = build_model(compression.adapt(asked), 2, 1000, 0, seed=0).eval()
    cut = compression.typical_cut(model.backbone)
    return model if cut is None else reduced(model, cut, exits or model.exits[-1:])[0]


def seconds(models: Sequence[MultiExitModel], batch_size: int) -> list[float]:
    """Median seconds of a forward pass of each model to its last exit."""
    rng, torch_rng = random.Random(0), torch.Generator().manual_seed(0)
    batch = TokenBatch(torch.randint(4, 1000, (batch_size, TOKENS), generator=torch_rng))
    taken: list[list[float]] = [[] for _ in models]
    order = list(range(len(models)))
    with torch.inference_mode():
        for round_number in range(ROUNDS + 2):
            rng.shuffle(order)
            for place in order:
                begin = time.perf_counter()
                models[place](batch, models[place].exits[-1:])
                if round_number >= 2:
                    taken[place].append(time.perf_counter() - begin)
    return [statistics.median(one) for one in taken]


def named(settings: Settings) -> str:
    """The method, its depth and the compression."""
    depth = settings.method.options.get("layers")
    parts = [settings.method.name, *([f"{depth} layers"] if isinstance(depth, int) else [])]
    return " ".join(parts) + ("" if settings.compression.name == "none" else f" + {settings.compression.name}")


def table(folder: Path, timed: Callable[[Sequence[MultiExitModel], int], list[float]] = seconds) -> pd.DataFrame:
    """A row per configuration with a finished trial."""
    state = SweepState(read_events(folder / NAME))
    done: dict[str, list] = {}
    for trial in state.trials.values():
        if trial.status == "finished":
            done.setdefault(trial.spec.configuration, []).append(trial)
    settings = {name: trials[0].spec.settings for name, trials in done.items()}
    models = [shaped(one) for one in settings.values()]
    times = {size: timed(models, size) for size in (1, 32)}
    whole = models[0].backbone.num_layers
    rows = []
    for place, (name, trials) in enumerate(done.items()):
        scores = [100 * trial.score for trial in trials]
        last = [trial.records[max(trial.records)] for trial in trials]
        spread = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
        flops = statistics.fmean(record.exits[-1].inference_flops for record in last)
        spent = statistics.fmean(sum(r.costs.train_flops or 0 for r in trial.records.values()) for trial in trials)
        rows.append({
            "configuration": named(settings[name]),
            "n": len(scores),
            "score": f"{statistics.fmean(scores):.2f}{spread}",
            "speed-up in layers": f"{whole / last[0].encoder_layers:.2f}",
            "parameters (M)": f"{last[0].parameters / 1e6:.2f}",
            "weights (MB)": f"{last[0].weight_bytes / 1e6:.1f}",
            "MFLOP per example": f"{flops / 1e6:.0f}",
            "time, batch 1": f"{times[1][place] / times[1][0]:.2f}",
            "time, batch 32": f"{times[32][place] / times[32][0]:.2f}",
            "train TFLOP": f"{spent / 1e12:.2f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def early(folder: Path) -> pd.DataFrame:
    """Scores and FLOPs per example of the methods with several exits, at the targets' speed-ups and policies."""
    sweep = read_sweep(folder, repeats=20, seed=0)
    rows = []
    for name in sweep.finished:
        if len(sweep.layers[name]) < 2:
            continue
        scores, flops = (frame.xs(name, level="configuration") for frame in (sweep.scores, sweep.flops))
        for policy in ("entropy", "max_probability", "patience", "static"):
            row = {"method": sweep.names[name], "policy": policy, "n": str(len(scores))}
            for target in TARGETS:
                found = 100 * scores[at(policy, target)].dropna()
                spread = f" ± {found.std():.2f}" if len(found) > 1 else ""
                row[f"score, {target:g}x"] = f"{found.mean():.2f}{spread}" if len(found) else "-"
                cost = flops[at(policy, target)].dropna().mean() / 1e6
                row[f"MFLOP, {target:g}x"] = f"{cost:.0f}" if len(found) else "-"
            rows.append(row)
    return pd.DataFrame(rows)


def differences(folder: Path) -> pd.DataFrame:
    """Early exit by entropy at a speed-up of 2 less each static model with half of the layers, in points.

    error: standard error over the seeds; 95 % interval: t's, each for itself; p Holm: corrected over the table.
    """
    sweep = read_sweep(folder, repeats=20, seed=0)
    names = calls(folder)
    early_exit = {
        f"{names[one]}, leaving early": 100 * sweep.scores.xs(one, level="configuration")[at("entropy", 2.0)]
        for one in sweep.finished
        if len(sweep.layers[one]) > 1
    }
    finals = exit_scores(sweep.tables).set_index(["configuration", *SEEDS])
    half = [one for one in sweep.finished if max(sweep.layers[one]) * 2 == sweep.depth and len(sweep.layers[one]) == 1]
    static = {names[one]: 100 * finals.xs(one)["score"] for one in half}
    pairs = [(a, b) for a in early_exit for b in static]
    if not pairs:
        return pd.DataFrame()
    rng = np.random.default_rng(0)
    table = compare_paired({**early_exit, **static}, pairs, rng, margin=1.0, alpha=0.05, power=0.8)
    return pd.DataFrame(
        {
            "a": table["a"],
            "b": table["b"],
            "n": table["n"],
            "a - b": table["difference"].map("{:+.2f}".format),
            "error": table["error"].map("{:.2f}".format),
            "95 % interval": [f"{low:+.2f} to {high:+.2f}" for low, high in table[["lower", "upper"]].to_numpy()],
            "p Holm": table["p_holm"].map("{:.3f}".format),
        }
    )


def calls(folder: Path) -> dict[str, str]:
    """Configuration -> what it is called."""
    trials = SweepState(read_events(folder / NAME)).trials.values()
    return {trial.spec.configuration: named(trial.spec.settings) for trial in trials}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for frame in filter(len, (table(asked.folder), early(asked.folder), differences(asked.folder))):
        header = ["| " + " | ".join(frame.columns) + " |", "|" + " --- |" * len(frame.columns)]
        lines = ["| " + " | ".join(map(str, row)) + " |" for row in frame.to_numpy()]
        print("\n".join([*header, *lines]) if asked.markdown else frame.to_string(index=False), end="\n\n")


if __name__ == "__main__":
    main()
