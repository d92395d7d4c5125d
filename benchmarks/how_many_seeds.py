"""How many seeds tell two models apart: `python benchmarks/how_many_seeds.py runs.csv [--task RTE --metric acc ...]`.

runs.csv: kind, model, task, variant, metric, seed, value. `lr_sweep` has 5 learning rates (variant) x 5 seeds of
each model; `freeze` with variant `base` has up to 11 seeds of each model at a learning rate chosen before. Printed in
points (x 100).
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.comparing.power import seeds_needed, smallest_difference, t_test_power
from greenexp.analysis.comparing.score_tests import compare_scores, score_difference, score_tests
from greenexp.analysis.comparing.stochastic_order import almost_stochastic_order
from greenexp.analysis.seeds.seed_budget import expected_maximum, seed_plans
from greenexp.analysis.seeds.variance import variance_split

SEED = 20_240
TASKS = ("RTE:acc", "MRPC:acc", "CoLA:mcc", "SST-2:acc")
DRAWS = 4_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--task", action="append", help=f"TASK:METRIC, repeatable; default {' '.join(TASKS)}")
    arguments = parser.parse_args()
    runs = pd.read_csv(arguments.file)
    runs = runs.assign(value=100 * runs["value"])
    pd.set_option("display.width", 200, "display.max_columns", 30)
    for chosen in arguments.task or TASKS:
        task, metric = chosen.split(":")
        part = runs[(runs["task"] == task) & (runs["metric"] == metric)]
        base = part[(part["kind"] == "freeze") & (part["variant"] == "base")]
        methods = {str(name): rows["value"].to_numpy() for name, rows in base.groupby("model")}
        print(f"\n=== {task}, {metric}, in points ===")
        noise(methods)
        pairs(methods)
        subsets(methods)
        plans(part[part["kind"] == "lr_sweep"])
    false_alarms()


def noise(methods: dict[str, np.ndarray]) -> None:
    """The seeds' standard deviation of each model, and the differences that so much noise lets one see."""
    rows = []
    for name, scores in methods.items():
        frame = pd.DataFrame({"configuration": name, "seed": range(scores.size), "score": scores})
        row = variance_split(frame, ["seed"]).table.iloc[0]
        least = {f"least, {s} seeds": smallest_difference(s, row["standard_deviation"]) for s in (3, 5, 10, 20)}
        low, high = np.sqrt([row["lower"], row["upper"]])
        rows.append({"model": name, "seeds": scores.size, "mean": scores.mean(), "sd": row["standard_deviation"],
                     "sd lower": low, "sd upper": high, **least})  # fmt: skip
    show("Noise of one seed, and the least difference of two such models that is found with 80 % power", rows)


def pairs(methods: dict[str, np.ndarray]) -> None:
    """Every pair: what these seeds say, and how many would be needed for the difference, were it the true one."""
    rng = np.random.default_rng(SEED)
    table = compare_scores(methods, rng, "welch")
    rows: list[dict[str, Any]] = []
    for row in table.itertuples():
        sds = [float(methods[name].std(ddof=1)) for name in (row.a, row.b)]
        apart = row.lower * row.upper > 0
        ends = sorted((abs(row.lower), abs(row.upper)))
        needed: list[Any] = [seeds_needed(d, *sds) for d in (ends[1], abs(row.difference), ends[0] if apart else 0.0)]
        seen = {"a": row.a, "b": row.b, "n": f"{row.n_a}, {row.n_b}", "a - b": row.difference}
        seen |= {"lower": row.lower, "upper": row.upper, "one seed right": max(row.superiority, 1 - row.superiority)}
        seen |= {"p": row.p, "p_holm": row.p_holm, "eps_min": min(row.epsilon_min, row.epsilon_min_reverse)}
        at = {"seeds needed": needed[1] or "no end", "at best": needed[0], "at worst": needed[2] or "no end"}
        rows.append(seen | at)
    ranks = [
        score_tests(methods[row["a"]], methods[row["b"]], rng).set_index("test")["p"]["mann_whitney"] for row in rows
    ]
    rows = [{**row, "rank p_holm": p} for row, p in zip(rows, holm(ranks), strict=True)]
    rows.sort(key=lambda row: abs(row["a - b"]))
    show("Pairs (Welch); seeds each for 80 % power at the difference seen, and at the ends of its interval", rows)


def subsets(methods: dict[str, np.ndarray]) -> None:
    """Of studies with s of the seeds that there are, how many find the difference; beside it what the model says."""
    rng, rows = np.random.default_rng(SEED), []
    whole = [name for name, scores in methods.items() if scores.size >= 10]
    for a, b in itertools.combinations(whole, 2):
        x, y = methods[a], methods[b]
        row: dict[str, Any] = {"a": a, "b": b, "a - b": x.mean() - y.mean()}
        for s in (2, 3, 5):
            ours, theirs = (np.array([rng.choice(v, s, replace=False) for _ in range(DRAWS)]) for v in (x, y))
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # subsets without spread
                found = stats.ttest_ind(ours, theirs, axis=1, equal_var=False)
            lead = (ours.mean(axis=1) - theirs.mean(axis=1)) * np.sign(x.mean() - y.mean())
            row[f"right order, {s}"] = (lead > 0).mean() + (lead == 0).mean() / 2
            row[f"found, {s}"] = (found.pvalue < 0.05).mean()
            sds = [float(v.std(ddof=1)) for v in (x, y)]
            row[f"power, {s}"] = t_test_power(abs(x.mean() - y.mean()), s, *sds)
        rows.append(row)
    show(
        f"Studies of s seeds each, {DRAWS} drawn from 10 or more: share in the right order, share with Welch p < 0.05",
        rows,
    )


def plans(sweep: pd.DataFrame) -> None:
    """Learning rates x seeds: the two variances, how to spend 60 trials, and how far the best looks too good."""
    rng, rows = np.random.default_rng(SEED), []
    for model, part in sweep.groupby("model"):
        split = variance_split(part, ["seed"], "variant", "value")
        tau, sigma = (np.sqrt(v) for v in (split.variance("configuration"), split.variance("seed")))
        table = seed_plans(60, float(tau), float(sigma)).set_index("seeds")
        best = table["expected_true"].idxmax()
        grid = part.pivot_table(index="variant", columns="seed", values="value").to_numpy()
        row = {"model": model, "sd rates": tau, "sd seeds": sigma, "share": f"{split.table['share'].iloc[0]:.2f} "
               f"[{split.share[0]:.2f}, {split.share[1]:.2f}]", "even": "no" if split.remarks else "yes",
               "best s of 60": best, "worth it": table["expected_true"][best] - table["expected_true"][1]}  # fmt: skip
        for s in (1, 3):
            height, total = float(expected_maximum(len(grid))), np.hypot(tau, sigma / np.sqrt(s))
            row[f"optimism, {s}"] = height * sigma**2 / s / total if total else 0.0
            row[f"measured, {s}"] = too_good(grid, s, rng)
        rows.append(row)
    show("5 learning rates x 5 seeds: variance, best number of seeds for 60 trials; optimism of the best of 5", rows)


def too_good(grid: np.ndarray, seeds: int, rng: np.random.Generator) -> float:
    """Mean of the chosen row over `seeds` random columns of each row, less its mean over its other columns."""
    shuffled = rng.permuted(np.tile(grid, (DRAWS, 1, 1)), axis=2)
    shown, fresh = shuffled[:, :, :seeds].mean(axis=2), shuffled[:, :, seeds:].mean(axis=2)
    # Equal means: one of them at random.
    best = np.argmax(shown + 1e-9 * rng.random(shown.shape), axis=1)[:, None]
    return float((np.take_along_axis(shown, best, 1) - np.take_along_axis(fresh, best, 1)).mean())


def false_alarms(repetitions: int = 2_000) -> None:
    """How often two samples of one normal distribution are called different at the level of 5 %."""
    rng, rows = np.random.default_rng(SEED), []
    order: Callable[[float], Callable[[np.ndarray, np.ndarray], bool]] = lambda bound: (  # noqa: E731
        lambda a, b: almost_stochastic_order(a, b, rng, bootstrap=200).epsilon_min < bound
    )
    tests: dict[str, Callable[[np.ndarray, np.ndarray], bool]] = {
        "a above b: eps_min < 0.5": order(0.5),
        "a above b: eps_min < 0.2": order(0.2),
        "welch": lambda a, b: score_tests(a, b, rng, permutations=1)["p"][0] < 0.05,
        "t interval of 95 % without 0": lambda a, b: (d := score_difference(a, b)).lower * d.upper > 0,
    }
    for name, called in tests.items():
        row: dict[str, Any] = {"rule": name}
        for n in (3, 5, 10, 30):
            count = sum(called(rng.normal(size=n), rng.normal(size=n)) for _ in range(repetitions))
            low, high = stats.binomtest(count, repetitions).proportion_ci()
            row[f"n = {n}"] = f"{100 * count / repetitions:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        rows.append(row)
    show(f"Two samples of n scores of one normal distribution called different, {repetitions} repetitions", rows)


def show(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda v: f"{v:.3f}" if abs(v) < 0.1 else f"{v:.2f}"))


if __name__ == "__main__":
    main()
