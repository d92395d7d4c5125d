"""The search of an open plan while it runs: told what the journal says, asked for the next configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from greenexp.errors import ReplayError
from greenexp.journal.state import Proposed, SweepState, TrialState
from greenexp.plan import Plan
from greenexp.records.objectives import objective_of
from greenexp.records.trial import TrialSpec
from greenexp.records.values import Value, canonical_json
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
        history = [_observation(state, number, one) for number, one in enumerate(state.proposals)]
        numbers = {one.configuration: number for number, one in enumerate(state.proposals)}
        for name in state.ended[self._told :]:
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


def _observation(state: SweepState, number: int, proposed: Proposed) -> Observation:
    trials = state.members(proposed.configuration)
    statuses = {trial.status for trial in trials}
    scores = [trial.score for trial in trials]
    ended = state.ended.index(proposed.configuration) if proposed.configuration in state.ended else None
    progress = ProposalState.RUNNING
    if ended is not None:
        one_of = (("failed", ProposalState.FAILED), ("stopped", ProposalState.STOPPED))
        progress = next((kind for status, kind in one_of if status in statuses), ProposalState.COMPLETE)
    known = [score for score in scores if score is not None]
    is_whole = bool(trials) and len(known) == len(scores) and "failed" not in statuses
    score = sum(known) / len(known) if is_whole else None
    epochs = min((max(trial.records, default=0) for trial in trials), default=0)
    objectives = _objectives(state, trials) if is_whole else {}
    return Observation(
        number, proposed.values, progress, score, ended, epochs, objectives=objectives, memory=proposed.memory
    )


def _objectives(state: SweepState, trials: Sequence[TrialState]) -> dict[str, float | None]:
    """Objective -> mean over the seeds, None where it is not known of one; nothing where the score is the only one."""
    names = state.spec.objectives
    found: dict[str, float | None] = {}
    for name in names if len(names) > 1 else ():
        values = [objective_of(name, trial.records, state.spec.metric) for trial in trials]
        known = [value for value in values if value is not None]
        found[name] = fmean(known) if known and len(known) == len(values) else None
    return found
