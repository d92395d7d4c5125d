"""Tree-structured Parzen estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from greenexp.searches.sampled import SampledSearch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True)
class Tpe(SampledSearch):
    """Where good configurations are denser than others: tree-structured Parzen estimators, Optuna's TPESampler.

    Of the n configurations with a score, the best min(ceil(n / 10), 25) give a density l(x), the others and those that
    are still running a density g(x). Of 24 draws from l, the one with the greatest l(x) / g(x) comes next.
    A score is the mean over seeds. Configurations stopped early rank below all that were trained to their end, those
    that trained for longer first; failed ones are left out. Where some fields have conditions (`when`), there is one
    density for each group of fields that are always in the same configurations. With several objectives the best are
    those that no other dominates, then those dominated by these alone, and so on, those that add the most hypervolume
    first; configurations stopped early rank last.

    samples: number of configurations; seed: of the draws
    startup: configurations are drawn at random until so many have a score; less than `samples`
    multivariate: one density over all fields, else one for each

    Source: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; densities over all fields: Falkner et
    al. 2018, "BOHB"; as it is implemented: Watanabe 2023, arXiv:2304.11127;
    several objectives: Ozaki et al. 2020, "Multiobjective Tree-Structured Parzen Estimator for Computationally
    Expensive Optimization Problems".
    """

    conditional: ClassVar[bool] = True

    multivariate: bool = True

    def sampler(self, seed: int, *, conditional: bool) -> BaseSampler:
        """See `OptunaSearch.sampler`."""
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=seed,
            n_startup_trials=self.startup,
            multivariate=self.multivariate,
            group=self.multivariate and conditional,
            constant_liar=True,
        )
