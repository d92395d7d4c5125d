"""What the next configurations of a search are expected to gain, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from greenexp.analysis.search.next_gain import LEVEL, NextGain
from greenexp.analysis.search.progress import RandomSearch, SearchProgress
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.records.axes import AXES
from greenexp.units import format_quantity

_COSTS = ("energy_j", "train_flops", "wall_s", "money")
"""Axes whose expected cost is named, where measured."""


def outlook(progress: SearchProgress, metric: SweepMetric) -> tuple[str, ...]:
    """A sentence on the next 10 configurations, or on why there is none, and one on random search where it learns."""
    if progress.refusal:
        return (f"No estimate of what further configurations would gain: {progress.refusal}.",)
    sentences = [_gain(progress.gains[-1], progress.costs, metric)]
    if progress.random is not None:
        sentences.append(_against_random(progress.random, float(progress.incumbent["best"].iloc[-1]), metric))
    return tuple(sentences)


def _gain(gain: NextGain, costs: Mapping[str, float], metric: SweepMetric) -> str:
    chance = "" if gain.chance is None else f"; the chance of any gain is {100 * gain.chance:.0f} %"
    share = f"{100 * LEVEL:.0f} % of such searches"
    limit = "" if gain.at_most is None else f", and {share} gain at most {gain.at_most:.2g}"
    most = "at most about " if gain.upper else ""
    prices = [
        f"{AXES[axis].sum_title} {format_quantity(gain.configurations * costs[axis], AXES[axis].unit)}"
        for axis in _COSTS
        if costs.get(axis)
    ]
    price = f" Their expected cost: {', '.join(prices)}." if prices else ""
    return (
        f"The next {gain.configurations} configurations are expected to gain {most}{gain.mean:.2g} "
        f"{metric.label}{chance}{limit}.{price}"
    )


def _against_random(random: RandomSearch, reached: float, metric: SweepMetric) -> str:
    equal = f"of equal {AXES[random.axis].title}" if random.axis else "of as many configurations"
    bound = "less" if metric.minimize else "more"
    return (
        f"A random search {equal} is expected to reach {random.score:.4f} {metric.label} with {random.configurations} "
        f"configurations, and in {100 * LEVEL:.0f} % of cases no {bound} than {random.at_best:.4f}, by the "
        f"{random.draws} with which this search began; this one reached {reached:.4f}, "
        f"{'better' if random.advantage >= 0 else 'worse'} by {abs(random.advantage):.2g}."
    )
