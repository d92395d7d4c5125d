"""How often the interval of a lead contains it, simulated: `python benchmarks/lead_coverage.py [--repetitions 4000]`.

What example e adds to the lead with seed i is lead + a_i + b_e + c_ie, normal: of the seed, of the example, of both.
The interval of `analysis.comparing.lead` stands beside that of the seeds alone (the paired t test) and the percentiles
of a bootstrap that draws seeds and examples (Owen 2007). Beside every share stands its exact binomial 95 % interval.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from scipy import stats

from greenexp.analysis.comparing.lead import lead_interval

LEAD, EXAMPLES, RESAMPLES = 0.02, 200, 400
EFFECTS = {
    "examples alone": (0.0, 0.3, 0.0),
    "examples and both": (0.0, 0.2, 0.4),
    "all three": (0.01, 0.2, 0.3),
    "seeds by far": (0.03, 0.1, 0.2),
}
"""Standard deviations of seed, example and both."""


def contains(each: np.ndarray, rng: np.random.Generator) -> dict[str, bool]:
    """Whether each interval of [S, n] differences contains the lead."""
    seeds, examples = each.shape
    drawn = rng.integers(examples, size=(RESAMPLES, examples)) + examples * np.arange(RESAMPLES)[:, None]
    weights = np.bincount(drawn.ravel(), minlength=RESAMPLES * examples).reshape(RESAMPLES, examples)
    resampled = weights @ each.T / examples
    both = lead_interval(each.mean(axis=1), resampled, examples)
    alone = lead_interval(each.mean(axis=1))
    chosen = rng.integers(seeds, size=(RESAMPLES, seeds))
    low, high = np.quantile(np.take_along_axis(resampled, chosen, axis=1).mean(axis=1), [0.025, 0.975])
    return {
        "seeds and examples": both.lower <= LEAD <= both.upper,
        "seeds alone": alone.lower <= LEAD <= alone.upper,
        "percentiles of both": bool(low <= LEAD <= high),
    }


def share(hits: int, number: int) -> str:
    low, high = stats.binomtest(hits, number).proportion_ci(0.95, "exact")
    return f"{100 * hits / number:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=4_000)
    number = parser.parse_args().repetitions
    print("| noise | seeds | seeds and examples | seeds alone | percentiles of both |\n|---|---|---|---|---|")
    for name, deviations in EFFECTS.items():
        for seeds in (2, 3, 5):
            rng, hits = np.random.default_rng(seeds), Counter[str]()
            for _ in range(number):
                shapes = ((seeds, 1), (1, EXAMPLES), (seeds, EXAMPLES))
                effects = [rng.normal(0, sd, shape) for sd, shape in zip(deviations, shapes, strict=True)]
                hits.update({key: int(value) for key, value in contains(sum(effects, LEAD), rng).items()})
            cells = [share(hits[key], number) for key in ("seeds and examples", "seeds alone", "percentiles of both")]
            print(f"| {name} | {seeds} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
