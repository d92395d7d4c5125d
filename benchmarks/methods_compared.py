"""Comparisons of training methods over seeds, for `methods.py`: families of pairs, and the paper's claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import leebert_claims as claims
import numpy as np
import pandas as pd
from methods_scores import LAST, MEAN, TARGETS, Sweep, at
from methods_text import NONE, Row, Show, interval, plain, probability, signed

from greenexp.analysis.comparing.paired_comparisons import Noise, compare_paired, pooled_noise

ALPHA, POWER, SEED = 0.05, 0.8, 0
POOLED = "pooled_"
HALF = 2.0
"""The paper's own tables are at about this speed-up."""


def comparisons(sweep: Sweep, reference: str, policy: str, margin: float, show: Show) -> None:
    """Families that were chosen before any score was seen; each has its own correction."""
    seeds = len(sweep.scores.droplevel("configuration").index.unique())
    if seeds < 2:
        print(f"\nn = {seeds}: nothing can be resolved; differences are shown all the same.")
    called = {sweep.names[c]: layers for c, layers in sweep.layers.items()}
    several = [name for name, layers in called.items() if len(layers) > 1]
    if reference in called:
        same = [name for name in several if called[name] == called[reference] and name != reference]
        _family(sweep, MEAN, [(name, reference) for name in same], margin, show)
    whole = next((name for name, layers in called.items() if layers == (sweep.depth,)), None)
    if whole:
        deep = [name for name in several if called[name][-1] == sweep.depth]
        _family(sweep, LAST, [(name, whole) for name in deep], margin, show)
    for target in TARGETS:
        cut = next((name for name, layers in called.items() if layers == (sweep.depth / target,)), None)
        if cut:
            _family(sweep, at(policy, target), [(name, cut) for name in several], margin, show)


def _family(sweep: Sweep, measure: str, pairs: list[claims.Pair], margin: float, show: Show) -> None:
    if pairs:
        table, noise = _compared(sweep, measure, pairs, margin)
        show(f"3. {measure}: a - b over the same seeds", [_compared_row(row) for row in table.to_dict("records")])
        _say_noise(noise)


def _compared(sweep: Sweep, measure: str, pairs: Sequence[claims.Pair], margin: float) -> tuple[pd.DataFrame, Noise]:
    """In points: `compare_paired` by each pair's own noise, and the same `pooled_` over these methods."""
    scores = {name: 100 * values for name, values in sweep.series(measure).items()}
    noise = pooled_noise(scores, [name for pair in pairs for name in pair])
    own, pooled = (
        compare_paired(scores, pairs, np.random.default_rng(SEED), margin, ALPHA, POWER, noise=given)
        for given in (None, noise)
    )
    return own.join(pooled.drop(columns=["a", "b", "n", "difference"]).add_prefix(POOLED)), noise


def _say_noise(noise: Noise) -> None:
    if noise.degrees:
        one, low, high = (plain(sd / math.sqrt(2)) for sd in (noise.sd, noise.lowest, noise.highest))
        print(
            f"\nPooled: the noise of one seed is {one} points ({noise.degrees:g} degrees of freedom), of one method "
            f"{low} to {high}: the more these differ, the less the pooled columns mean."
        )


def _compared_row(row: Row) -> Row:
    return {
        "a": row["a"], "b": row["b"], "n": row["n"], "a - b": signed(row["difference"]), "error": plain(row["error"]),
        "95 % interval": interval(row["lower"], row["upper"]), "p (paired t)": probability(row["p"]),
        "p Holm": probability(row["p_holm"]), "p sign flips": probability(row["p_sign_flip"]),
        "detectable": plain(row["detectable"]), "finding": row["finding"],
        "pooled: p Holm": probability(row["pooled_p_holm"]), "pooled: detectable": plain(row["pooled_detectable"]),
        "pooled: finding": row["pooled_finding"],
    }  # fmt: skip


def paper(sweep: Sweep, policy: str, margin: float, show: Show) -> None:
    """Each claim pair by pair and as a whole, over all exits and at half of the layers."""
    half = at(policy, HALF)
    settings = sweep.settings.rename(index=sweep.names)
    ordered = claims.chains(settings)
    for measure, asked in ((MEAN, ordered), (half, ordered + claims.ranking(settings, sweep.depth))):
        if not asked:
            continue
        pairs = list(dict.fromkeys(pair for claim in asked for pair in claim.pairs))
        table, noise = _compared(sweep, measure, pairs, margin)
        table = table.set_index(["a", "b"])
        found = {pair: _verdicts(table.loc[pair]) for pair in pairs}
        rows = [{"claim": claim.title, **_claim_row(sweep, pair, table.loc[pair], measure), **found[pair]}
                for claim in asked for pair in claim.pairs]  # fmt: skip
        show(f"4. Claims, pair by pair, {measure} (Holm over these {len(pairs)} pairs)", rows)
        _say_noise(noise)
        show(f"4. Claims as a whole, {measure}", [_summary(claim, found) for claim in asked])
    rows = [row for measure in (MEAN, half) for row in _alike(sweep, measure, settings, margin)]
    if rows:
        show(f"4. Claims of equality, within +-{margin:g} points", rows)


def _verdicts(row: Any) -> Row:
    return {
        "verdict": claims.verdict(row["finding"]), "pooled: p Holm": probability(row["pooled_p_holm"]),
        "pooled: verdict": claims.verdict(row["pooled_finding"]),
    }  # fmt: skip


def _claim_row(sweep: Sweep, pair: claims.Pair, row: Any, measure: str) -> Row:
    cells = {
        "a": pair[0], "b": pair[1], "n": int(row["n"]), "a - b": signed(row["difference"]),
        "95 % interval": interval(row["lower"], row["upper"]), "detectable": plain(row["detectable"]),
        "also differs": _also_differs(sweep, pair),
    }  # fmt: skip
    if measure == MEAN:
        cells["these models, over examples"] = _over_examples(sweep, pair)
    return cells | {"p Holm": probability(row["p_holm"])}


def _summary(claim: claims.Claimed, found: dict[claims.Pair, Row]) -> Row:
    row: Row = {"claim": claim.title}
    for name in ("verdict", "pooled: verdict"):
        adjacent = [found[pair][name] for pair in claim.adjacent]
        ends = [found[pair][name] for pair in claim.ends]
        counts = ", ".join(f"{adjacent.count(verdict)} {verdict}" for verdict in dict.fromkeys(adjacent))
        row |= {name.replace("verdict", "neighbours"): counts}
        row |= {name.replace("verdict", "first against last"): ", ".join(dict.fromkeys(ends)) or NONE}
        row |= {name: claims.verdict_of_chain(adjacent, ends)}
    return row


def _alike(sweep: Sweep, measure: str, settings: pd.DataFrame, margin: float) -> list[Row]:
    same = claims.alike(settings)
    if not same:
        return []
    table, _ = _compared(sweep, measure, [pair for claim in same for pair in claim.pairs], margin)
    rows = []
    for claim, row in zip(same, table.to_dict("records"), strict=True):
        cells = _claim_row(sweep, claim.adjacent[0], row, measure)
        cells |= {"p, two one-sided tests": probability(row["p_same"])}
        rows.append({"measure": measure, "claim": claim.title, **cells, "verdict": claims.verdict_alike(row, margin)})
    return rows


def _over_examples(sweep: Sweep, pair: claims.Pair) -> str:
    """The normal interval of the difference over dev examples, these models given: mean over exits and seeds."""
    by_name = {name: c for c, name in sweep.names.items()}
    found = [{key[1:]: right for key, right in sweep.right.items() if key[0] == by_name[name]} for name in pair]
    seeds = [seed for seed in found[0] if seed in found[1]]
    if not seeds:
        return NONE
    differences = 100 * np.mean([found[0][seed] - found[1][seed] for seed in seeds], axis=0)
    reach = 1.96 * differences.std(ddof=1) / math.sqrt(differences.size)
    return interval(differences.mean() - reach, differences.mean() + reach)


def _also_differs(sweep: Sweep, pair: claims.Pair) -> str:
    """Searched settings outside the method that are not the same."""
    settings = sweep.settings.rename(index=sweep.names)
    a, b = (settings.loc[name].map(lambda value: "default" if value is None else value) for name in pair)
    others = [name for name in settings if not name.startswith("method.") and a[name] != b[name]]
    return ", ".join(f"{name.rpartition('.')[2]} {a[name]} / {b[name]}" for name in others) or NONE
