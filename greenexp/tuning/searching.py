"""The search of an open plan while it runs: told what the journal says, asked for the next configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from greenexp.errors import ReplayError
from greenexp.journal.state import Proposed, SweepState, TrialState
from greenexp.plan import Plan
from greenexp.records.axes import EPOCHS
from greenexp.records.epoch import EpochRecord
from greenexp.records.objectives import objective_of
from greenexp.records.progress import Epochs, report_at
from greenexp.records.trial import TrialSpec
from greenexp.records.values import Value, canonical_json
from greenexp.schedulers.cost_groups import comes_to
from greenexp.searches.base import NoProposal, Observation, Proposal, ProposalState


class Searching:
    """A running search over a sweep's state. The same events give the same proposals, so it resumes by replay.

    plan: an open one
    """

    def __init__(self, plan: Plan) -> None:
        if plan.growth is None:
            raise ValueError("the plan is complete: there is nothing to search")
        self._plan = plan
        self._search = plan.growth.start()
        self._told = 0

    def ask(self, state: SweepState) -> Proposal | NoProposal:
        """Tell the search of every configuration that has ended since it was last asked, and ask for the next one."""
        rungs = _rungs(state)
        history = [observation(state, number, one, rungs) for number, one in enumerate(state.proposals)]
        numbers = {one.configuration: number for number, one in enumerate(state.proposals)}
        for name in state.ended[self._told :]:
            if name not in numbers:
                raise ReplayError(f"the journal says that configuration {name} has ended, which was never proposed")
            self._search.tell(history[numbers[name]])
        self._told = len(state.ended)
        return self._search.ask(history)

    def trials(self, number: int, values: Mapping[str, Value]) -> tuple[TrialSpec, ...]:
        """The trials of proposal `number`. InputError if its values do not fit."""
        return self._plan.trials_of_proposal(number, values)

    def check(self, state: SweepState, number: int, values: Mapping[str, Value], memory: Mapping[str, Any]) -> None:
        """Ask again for what the journal says was proposed at this point. ReplayError if it is something else."""
        answer = self.ask(state)
        if not isinstance(answer, Proposal):
            raise ReplayError(f"the journal holds proposal {number}, and the search now proposes nothing there")
        was, now = [dict(values), dict(memory)], [dict(answer.values), dict(answer.memory)]
        if canonical_json(was) != canonical_json(now):
            raise ReplayError(f"the journal says that proposal {number} was {was}, the search now says {now}")


def proposal_data(number: int, configuration: str, proposal: Proposal) -> dict[str, Any]:
    """What the journal's line says of a proposal."""
    memory = {"memory": dict(proposal.memory)} if proposal.memory else {}
    return {"number": number, "configuration": configuration, "values": dict(proposal.values), **memory}


def _rungs(state: SweepState) -> tuple[Epochs, ...]:
    """The epochs at which something has been decided so far, rising; levels, where rungs do not count epochs."""
    verdicts = (verdict for trial in state.trials.values() for _, verdict in trial.verdicts)
    places = (verdict.rung if verdict.level is None else verdict.level for verdict in verdicts)
    return tuple(sorted({place for place in places if place is not None}))


def observation(state: SweepState, number: int, proposed: Proposed, rungs: Sequence[Epochs] = ()) -> Observation:
    """What a search is told of a configuration that it proposed; rungs: at which its scores are told, too."""
    trials = state.members(proposed.configuration)
    statuses = {trial.status for trial in trials}
    trained = [trial for trial in trials if not trial.given_up]
    ended = state.ended.index(proposed.configuration) if proposed.configuration in state.ended else None
    progress = ProposalState.RUNNING
    if ended is not None:
        one_of = (("failed", ProposalState.FAILED), ("stopped", ProposalState.STOPPED))
        progress = next((kind for status, kind in one_of if status in statuses), ProposalState.COMPLETE)
    known = [trial.score for trial in trained if trial.score is not None]
    is_whole = bool(known) and len(known) == len(trained) and "failed" not in statuses
    score = sum(known) / len(known) if is_whole else None
    epochs = min((report_at(t.epoch, t.spec.settings.training.reports_per_epoch) for t in trained), default=0)
    resource = str(state.spec.scheduler.options.get("resource", EPOCHS))
    scores_at = _scores_at(trained, rungs, resource) if is_whole else {}
    objectives = _objectives(state, trained) if is_whole else {}
    used = {axis: _used(axis, trained) for axis in state.spec.search.limits()}
    return Observation(
        number,
        proposed.values,
        progress,
        score,
        ended,
        epochs,
        scores_at,
        seeds=len(known),
        objectives=objectives,
        memory=proposed.memory,
        used=used,
    )


def _scores_at(trials: Sequence[TrialState], rungs: Sequence[Epochs], resource: str) -> dict[Epochs, float]:
    """Rung -> mean over the seeds of the best value until then, for the rungs that all of them have come to."""
    found: dict[Epochs, float] = {}
    for rung in rungs:
        scores = [_score_at(trial, rung, resource) for trial in trials]
        known = [score for score in scores if score is not None]
        if len(known) < len(scores):
            break
        found[rung] = math.fsum(known) / len(known)
    return found


def _score_at(trial: TrialState, rung: Epochs, resource: str) -> float | None:
    """The best value until `rung`; None for a trial that has not come to it."""
    if resource == EPOCHS and rung in trial.records:
        return trial.records[rung].best_score
    come = None if resource == EPOCHS else _report_at_cost(trial, rung, resource)
    if come is not None:
        return come.best_score
    return trial.score if trial.status == "finished" else None


def _report_at_cost(trial: TrialState, level: float, resource: str) -> EpochRecord | None:
    """The first report at which the trial had used as much; of a report that was repeated, the first cost counts."""
    costs: dict[Epochs, float] = {}
    for _, _, record in trial.reports:
        cost = getattr(record.costs, resource)
        costs.setdefault(record.epoch, math.nan if cost is None else cost)
        if comes_to(costs.values(), level):
            return record
    return None


def _objectives(state: SweepState, trials: Sequence[TrialState]) -> dict[str, float | None]:
    """Objective -> mean over the seeds, None where it is not known of one; nothing where the score is the only one."""
    names = state.spec.objectives
    found: dict[str, float | None] = {}
    for name in names if len(names) > 1 else ():
        values = [objective_of(name, trial.records, state.spec.metric) for trial in trials]
        known = [value for value in values if value is not None]
        found[name] = fmean(known) if known and len(known) == len(values) else None
    return found


def _used(axis: str, trials: Sequence[TrialState]) -> float | None:
    """What training the trials of one configuration takes on a budget axis, so far; None where a report lacks it.

    Work that was lost, and done again, counts once: it says nothing of the configuration. On `wall_s` it is the time
    for which they held workers.
    """
    if axis == "trials":
        return float(len(trials))
    if axis == "epochs":
        return math.fsum(trial.epoch for trial in trials)
    costs = [getattr(record.costs, axis) for trial in trials for record in trial.records.values()]
    return None if any(cost is None for cost in costs) else math.fsum(costs)
