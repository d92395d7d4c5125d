"""Training methods compared: `python benchmarks/methods.py OUT [OUT...] [--markdown]`, from recorded sweeps.

OUT: a sweep's folder, finished or still running; several are told one after the other, never mixed. Only finished
trials count. Scores are in points (x 100), mean +- standard deviation over seeds. Speed-up = layers of the whole
backbone / mean layers used.

    1  every exit, and what training took
    2  accuracy at equal speed-up; thresholds are chosen on one half of dev and judged on the other, over several cuts
       (on test where every finished trial has test logits)
    3  paired comparisons over seeds: by the paired t test of each pair's own differences, and with the noise of one
       seed pooled over all methods compared, which finds more if that noise is the same for all
    4  the claims of LeeBERT's paper, one by one
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
from methods_compared import comparisons, paper
from methods_scores import LAST, MEAN, POLICIES, TARGETS, Sweep, at, read_sweep
from methods_text import NONE, Row, Show, as_markdown, as_text, number, points, spread

from greenexp.analysis.exits.exit_means import TO_BEST, TO_END, exit_means, training_costs
from greenexp.units import format_quantity

BOUNDS = {"minilm-l6": 0.79, "gte-small": 0.85}
"""Least dev score of plain fine-tuning at the last exit, by the source's last part: below it something is wrong."""
RECONSTRUCTED = frozenset({"ensemble"})
"""Methods whose formula is not the paper's own (see their cards)."""
SEED = 20_250
"""Of the cuts of dev."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="OUT")
    parser.add_argument("--markdown", action="store_true", help="tables of Markdown")
    parser.add_argument("--reference", default="branchynet", help="what others are compared with over all exits")
    parser.add_argument("--policy", default="entropy", choices=POLICIES, help="of comparisons at equal speed-up")
    parser.add_argument("--margin", type=float, default=0.3, help="points within which two methods are the same")
    parser.add_argument("--least", type=float, help="least score of finetune, instead of the known source's")
    parser.add_argument("--repeats", type=int, default=10, help="cuts of dev into halves")
    arguments = parser.parse_args()
    show = as_markdown if arguments.markdown else as_text
    for folder in arguments.folders:
        sweep = read_sweep(folder, arguments.repeats, SEED)
        tell(sweep, arguments, show)


def tell(sweep: Sweep, arguments: argparse.Namespace, show: Show) -> None:
    print(f"{validity(sweep, arguments.least)}\n")
    print("\n- ".join(header(sweep)))
    if not sweep.finished:
        return
    show("1. Every exit alone, at the trial's best epoch (dev)", exits(sweep))
    show("1. Training: means over seeds", costs(sweep))
    tested = test_scores(sweep)
    if tested:
        show("1. On test, the trials that were evaluated there", tested)
    for target in TARGETS:
        rows = equal_speed_up(sweep, target)
        if rows:
            show(f"2. At a speed-up of at least {target:g}x, on {sweep.split}", rows)
    several = [c for c in sweep.finished if len(sweep.layers[c]) > 1]
    flattered = sweep.flattered[sweep.flattered.index.get_level_values("configuration").isin(several)].to_numpy()
    if np.isfinite(flattered).any():
        print(
            f"\nThresholds look {100 * np.nanmean(flattered):.2f} points better where they were chosen (mean of all)."
        )
    comparisons(sweep, arguments.reference, arguments.policy, arguments.margin, show)
    paper(sweep, arguments.policy, arguments.margin, show)


def header(sweep: Sweep) -> list[str]:
    """What was swept, and what a reader must know of it."""
    spec = sweep.tables.spec
    task = " ".join(str(spec["task"][field]) for field in ("name", "task") if field in spec["task"])
    methods = sweep.settings["method.name"]
    rebuilt = [name for c, name in sweep.names.items() if methods[c] in RECONSTRUCTED]
    told = [f"{name} is a reconstruction: the paper's text was not at hand." for name in rebuilt]
    return [f"Sweep `{spec['name']}`, {Path(str(spec['backbone']['source'])).name}, {task}:", *sweep.remarks, *told]


def validity(sweep: Sweep, least: float | None) -> str:
    """VOID, or what was checked."""
    source = Path(str(sweep.tables.spec["backbone"]["source"])).name
    bound = BOUNDS.get(source) if least is None else least
    scores = sweep.series(LAST).get("finetune", pd.Series(dtype=float)).dropna()
    if bound is None:
        return f"Validity: no least score is known for {source} (--least)."
    if scores.empty:
        return "Validity not known yet: finetune has no finished trial."
    reached = f"finetune reaches {points(scores)} on dev (n = {len(scores)}), the least that counts is {100 * bound:g}"
    return f"Valid: {reached}." if scores.mean() >= bound else f"VOID: {reached}. Nothing below says anything."


def exits(sweep: Sweep) -> list[Row]:
    means = exit_means(sweep.tables).set_index(["configuration", "layer"])
    series = sweep.series(MEAN)
    rows = []
    for c in sweep.finished:
        row = {"configuration": sweep.names[c], "n": len(series[sweep.names[c]].dropna())}
        for layer in range(1, sweep.depth + 1):
            known = means.loc[(c, layer)] if (c, layer) in means.index else None
            row[f"layer {layer}"] = NONE if known is None else spread(known["score_mean"], known["score_std"])
        rows.append(row | {"exits": len(sweep.layers[c]), "mean over exits": points(series[sweep.names[c]])})
    return rows


def costs(sweep: Sweep) -> list[Row]:
    found = training_costs(sweep.tables)
    means = found.groupby(["configuration", "until"])[["epochs", "train_flops", "cpu_s", "gpu_s"]].mean()
    on_gpu = bool((found["gpu_s"] > 0).any())
    rows = []
    for c in sweep.finished:
        row: Row = {"configuration": sweep.names[c]}
        for until, words in ((TO_END, "to the end"), (TO_BEST, "to the best epoch")):
            cost = means.loc[(c, until)]
            row[f"epochs {words}"] = f"{cost['epochs']:.1f}"
            row[f"train FLOPs {words}"] = format_quantity(cost["train_flops"], "FLOP")
            row[f"CPU h {words}"] = f"{cost['cpu_s'] / 3600:.2f}"
            if on_gpu:
                row[f"GPU h {words}"] = f"{cost['gpu_s'] / 3600:.2f}"
        rows.append(row)
    return rows


def test_scores(sweep: Sweep) -> list[Row]:
    """The last evaluation of every trial that has one."""
    held = sweep.tables.held_out
    column = f"test_{sweep.tables.spec['metric']['name']}"
    rows = []
    for _, found in held.groupby("trial", sort=False) if column in held else ():
        last = found[found["evaluation"] == found["evaluation"].max()]
        row = {"trial": found["trial"].iloc[0], "configuration": sweep.names[str(found["configuration"].iloc[0])]}
        score = dict(zip(last["layer"], last[column], strict=True))
        row |= {f"layer {k}": number(score.get(k, math.nan), "") for k in range(1, sweep.depth + 1)}
        rows.append(row)
    return rows


def equal_speed_up(sweep: Sweep, target: float) -> list[Row]:
    rows = []
    for c in sweep.finished:
        row: Row = {"configuration": sweep.names[c]}
        for policy in POLICIES if len(sweep.layers[c]) > 1 else ("static",):
            scores = sweep.series(at(policy, target))[sweep.names[c]].dropna()
            reached = sweep.speed_ups[at(policy, target)]
            reached = reached[reached.index.get_level_values("configuration") == c].mean()
            seeds = f", n = {len(scores)}" if len(scores) < len(sweep.series(MEAN)[sweep.names[c]]) else ""
            row[policy] = f"{points(scores)} ({reached:.2f}x{seeds})" if len(scores) else NONE
        if any(cell != NONE for cell in list(row.values())[1:]):
            rows.append({name: row.get(name, NONE) for name in ("configuration", *POLICIES)})
    if all(row["entropy"] == row["max_probability"] for row in rows):  # two classes: both order examples alike
        rows = [{**row, "max_probability": "as entropy" if row["entropy"] != NONE else NONE} for row in rows]
    return rows


if __name__ == "__main__":
    main()
