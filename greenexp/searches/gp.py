"""Bayesian optimisation with a Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from greenexp.searches.sampled import SampledSearch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True)
class GaussianProcess(SampledSearch):
    """Where a Gaussian process expects the greatest improvement: Bayesian optimisation, Optuna's GPSampler.

    The process has a Matern 5/2 kernel with a length scale for each field and a noise variance, fitted to the mean
    scores over seeds. What comes next maximises the logarithm of the expected improvement, given those still running.
    Only configurations trained to their end enter: those stopped early and failed ones are left out, so a scheduler
    that stops most of them leaves little to learn from. A space with conditions (`when`) is refused.
    With several objectives there is a process for each, and what comes next maximises the logarithm of the expected
    improvement in hypervolume.

    samples: number of configurations; seed: of the draws
    startup: configurations are drawn at random until so many were trained to their end; less than `samples`

    Source: Jones et al. 1998, "Efficient Global Optimization of Expensive Black-Box Functions"; the logarithm: Ament et
    al. 2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization", arXiv:2310.20708.
    """

    modules: ClassVar[tuple[str, ...]] = ("optuna", "torch")

    def sampler(self, seed: int, *, conditional: bool) -> BaseSampler:
        """See `OptunaSearch.sampler`."""
        from optuna.samplers import GPSampler

        return GPSampler(seed=seed, n_startup_trials=self.startup)
