"""Tree-structured Parzen estimators."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from greenexp.records.progress import Epochs
from greenexp.searches.base import Mode, NoProposal, Observation, Proposal, ProposalState, Space
from greenexp.searches.sampled import SampledProposals, SampledSearch

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

    Under a scheduler with rungs, scores are those after the largest number of epochs (a rung, or all of them) after
    which more configurations than there are fields, and not fewer than `startup`, have one, whether they have ended
    or not. Those that did not come so far rank below all that did. So under `hyperband` this is the model of BOHB, here
    without its random third of the proposals.

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

    def running(
        self, space: Space, directions: Mapping[str, Mode], earlier: tuple[Observation, ...] = ()
    ) -> TpeProposals:
        """See `OptunaSearch.running`."""
        return TpeProposals(self, space, directions, earlier)

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


class TpeProposals(SampledProposals):
    """The running search, which models the scores at one fidelity."""

    settings: Tpe

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        if len(self.directions) > 1:
            return super().ask(history)
        return super().ask(at_largest_fidelity(history, max(self.settings.startup, len(self.space) + 1)))


def at_largest_fidelity(history: Sequence[Observation], enough: int) -> Sequence[Observation]:
    """The history as it was at the largest fidelity at which `enough` configurations have a score.

    Fidelities are the epochs of rungs and, above them, training to the end. At a rung, whoever has come to it is
    complete with its score there; the others are as they are. Without a fidelity that has enough, all are as they are.
    Source: Falkner, Klein, Hutter 2018, BOHB (ICML), section 4, with N_min = number of fields + 1.
    """
    if sum(one.progress is ProposalState.COMPLETE and _is_number(one.score) for one in history) >= enough:
        return history
    for epoch in sorted({epoch for one in history for epoch in one.scores_at}, reverse=True):
        if sum(_is_number(one.scores_at.get(epoch)) for one in history) >= enough:
            return [_at(one, epoch) for one in history]
    return history


def _at(one: Observation, epoch: Epochs) -> Observation:
    if epoch not in one.scores_at:
        return one
    return dataclasses.replace(one, progress=ProposalState.COMPLETE, score=one.scores_at[epoch])


def _is_number(score: float | None) -> bool:
    return score is not None and math.isfinite(score)
