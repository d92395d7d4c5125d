"""Beginning or resuming a sweep: the plan meets the journal, before Ray is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import InputError, ReplayError
from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.journal.origins import changed_origins
from greenexp.journal.state import SweepState
from greenexp.plan import Plan
from greenexp.records.decision import Verdict
from greenexp.records.values import canonical_json
from greenexp.schedulers import Scheduler, compares_objectives, scheduler_names, scheduler_of
from greenexp.searches.base import Proposal
from greenexp.tuning.replay import rebuild
from greenexp.tuning.searching import Searching, proposal_data


@dataclass(slots=True)
class OpenSweep:
    """A sweep ready to run: its journal open for writing, its state and scheduler rebuilt from it.

    plan: with the configurations that the search of an open plan has proposed; search: that search, rebuilt too
    missing: verdicts the last driver died before writing; the session writes them first.
    """

    journal: Journal
    state: SweepState
    scheduler: Scheduler
    plan: Plan
    search: Searching | None = None
    missing: tuple[Verdict, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether a session would have nothing to do: all has ended, in good order, test set included."""
        closed = bool(self.state.sessions) and self.state.sessions[-1].closed == "finished"
        return self.state.complete and closed and not self.missing


def open_sweep(
    plan: Plan, resolved: Mapping[str, Any], folder: Path, data: Mapping[str, Any] | None = None
) -> OpenSweep:
    """Open the journal in `folder`, write the plan if it is new, and replay it if it is not.

    data: what the trials' data is now (`plan.data.data_facts`), which must be what it was in earlier sessions
    The plan may have more trials than the journal (a sweep that is extended). Nothing is written unless all of it fits.
    Raises InputError if the journal belongs to another plan, JournalError or ReplayError if it cannot be trusted.
    """
    journal = Journal(folder / NAME)
    try:
        state = SweepState(journal.events)
        first = plan
        plan = plan.grown([proposed.values for proposed in state.proposals])
        _refuse_other_plan(state, plan, resolved, folder)
        _refuse_other_data(state, data or {}, folder)
        extended = bool(state.trials) and len(plan.trials) > len(state.trials)
        search = None if plan.complete else Searching(plan)
        changed = bool(state.header) and _recorded(state)["search"] != resolved["search"]
        _refuse_more_than_waited_for(journal, state, plan)
        scheduler, missing = _rebuild(first, journal, search, extended=extended, changed_search=changed)
        _refuse_starved(plan)
        _write_plan(journal, state, plan, resolved, search)
    except BaseException:
        journal.close()
        raise
    return OpenSweep(journal, state, scheduler, plan, search, missing)


def _refuse_other_plan(state: SweepState, plan: Plan, resolved: Mapping[str, Any], folder: Path) -> None:
    """A sweep may be given more trials, another budget, other resources; what has been done must stay what it was."""
    if not state.header:
        return
    planned = {trial.trial: trial.fingerprint for trial in plan.trials}
    lost = [t.spec.trial for t in state.trials.values() if planned.get(t.spec.trial) != t.spec.fingerprint]
    recorded = _recorded(state)
    differ = [name for name in sorted({*recorded, *resolved}) if recorded.get(name) != resolved.get(name)]
    if lost:
        raise InputError(
            f"{folder} holds a sweep of which {len(lost)} of {len(state.trials)} trials would not be kept, as "
            f"{', '.join(differ or _changed(state, plan, lost[0]))} changed: {lost[0]} is not what it was. More "
            "samples, seeds or budget keep what is done; everything else is another sweep: choose another --out, or "
            "put this one aside with --fresh"
        )
    fixed = [name for name in ("space", "seeds", "objectives") if name in differ and not plan.complete]
    if fixed:
        raise InputError(
            f"{folder} holds a sweep whose search has learnt from what it was, and {' and '.join(fixed)} changed: "
            "choose another --out, or put this one aside with --fresh"
        )
    _refuse_other_objectives(recorded, resolved, differ, folder)
    if state.proposals and plan.growth is not None and not _told_the_same(state, plan, recorded):
        raise InputError(
            f"{folder} holds a sweep whose search was told of other earlier sweeps (search.from): choose another "
            "--out, or put this one aside with --fresh"
        )
    if "scheduler" in differ and not _same_scheduler(recorded["scheduler"], resolved["scheduler"]):
        raise InputError(
            f"{folder} holds a sweep with scheduler {recorded['scheduler']}, which has decided already; two rules in "
            "one sweep cannot be compared: choose another --out, or put this one aside with --fresh"
        )


def _refuse_other_objectives(
    written: Mapping[str, Any], resolved: Mapping[str, Any], differ: Sequence[str], folder: Path
) -> None:
    """Under a scheduler that compares several objectives, decisions were taken by those of the journal."""
    if "objectives" in differ and compares_objectives(scheduler_of(resolved["scheduler"])):
        raise InputError(
            f"{folder} holds a sweep whose scheduler has decided by objectives {written['objectives']}; two rules in "
            "one sweep cannot be compared: choose another --out, or put this one aside with --fresh"
        )


def _recorded(state: SweepState) -> Mapping[str, Any]:
    """The sweep file on record; a section that an earlier version did not have is as by default."""
    return {**state.spec.model_dump(mode="json"), **state.header["spec"]}


def _same_scheduler(recorded: Mapping[str, Any], resolved: Mapping[str, Any]) -> bool:
    """Whether two sections mean one scheduler: an earlier version may have had fewer fields."""
    try:
        return recorded["name"] == resolved["name"] and scheduler_of(recorded) == scheduler_of(resolved)
    except InputError:
        return False


def _told_the_same(state: SweepState, plan: Plan, recorded: Mapping[str, Any]) -> bool:
    """Whether the search is told what it was told at its start."""
    told = [] if plan.growth is None else [one.to_json() for one in plan.growth.earlier]
    was = [one.to_json() for one in state.earlier or ()]
    named = list(plan.spec.search.earlier) == list(recorded["search"].get("from", ()))
    return named and canonical_json(told) == canonical_json(was)


def _changed(state: SweepState, plan: Plan, trial: str) -> list[str]:
    """Where a trial differs though the file is the same.

    Another version has other fields and defaults, or the models of other sweeps that the file names have changed.
    """
    new = next((planned.settings.to_json() for planned in plan.trials if planned.trial == trial), {})
    old = state.trials[trial].spec.settings.to_json()
    fields = ((section, name) for section in new for name in dict.fromkeys((*old[section], *new[section])))
    found = [f"{at}.{name}" for at, name in fields if old[at].get(name) != new[at].get(name)]
    origins = next((planned.origins for planned in plan.trials if planned.trial == trial), {})
    return found or changed_origins(state.trials[trial].spec, origins) or ["the plan"]


def _refuse_other_data(state: SweepState, data: Mapping[str, Any], folder: Path) -> None:
    """A file may have changed under its path; then old and new trials would not be comparable."""
    for session in state.sessions:
        known = session.data.get("data") or {}
        for key in known.keys() & data.keys():
            if known[key]["fingerprint"] != data[key]["fingerprint"]:
                raise InputError(
                    f"{folder} was begun on other data than there is now under the same name: "
                    f"{data[key]['description']}; bring the old data back, or begin anew with --fresh"
                )


def _refuse_starved(plan: Plan) -> None:
    """Under a scheduler that waits for all, a limit on trials below those it needs would let nobody past a rung."""
    limit = plan.spec.budget.limits().get("trials")
    if limit is None or not scheduler_of(plan.spec.scheduler.to_json()).needs_size:
        return
    brackets = plan.expected_scheduler().bracket_plan()
    trials = len(plan.trials) // len(plan.configurations) * (plan.size or len(plan.configurations))
    trials_per_unit = trials / sum(bracket.units for bracket in brackets)
    needed = sum(bracket.begun * (1 if bracket.seeds else trials_per_unit) for bracket in brackets)
    if limit < needed:
        others = ", ".join(scheduler_names(lambda kind: not (kind.needs_size or compares_objectives(kind))))
        raise InputError(
            f"budget.trials is {limit:g} and the sweep has {needed:g} trials to start: scheduler "
            f"{plan.spec.scheduler.name} compares all of them at its rungs and would wait for ever; lower "
            "search.samples instead, or choose a scheduler under which no configuration waits for all others "
            f"({others})"
        )


def _refuse_more_than_waited_for(journal: Journal, state: SweepState, plan: Plan) -> None:
    """A scheduler that judges all configurations together takes no further ones when it has been told that it has all.

    Refused here, before they are proposed, since what is proposed is on record.
    """
    was_told = any(event.kind == "search_done" for event in journal.events)
    needs_size = scheduler_of(plan.spec.scheduler.to_json()).needs_size
    if was_told and needs_size and (plan.size or 0) > len(state.proposals):
        raise InputError(_decided_over(plan))


def _decided_over(plan: Plan) -> str:
    return (
        f"scheduler {plan.spec.scheduler.name} decided over the trials the sweep began with, and would have "
        "decided otherwise over more of them: begin a new sweep with all of them (another --out, or --fresh)"
    )


def _write_plan(
    journal: Journal, state: SweepState, plan: Plan, resolved: Mapping[str, Any], search: Searching | None
) -> None:
    """The `sweep` line if it is new or has changed, and a `trial` line for each trial that is new or has changed.

    Of an open plan also what its search proposes first, if that is not there yet. A driver that died between a
    proposal and its trials left some of their lines out: they are written now.
    """
    if not state.header or state.header["spec"] != resolved:
        header = {"format": FORMAT, "name": plan.spec.name, "fingerprint": plan.fingerprint, "spec": dict(resolved)}
        if not plan.complete:
            header["open"] = True
        state.apply(journal.append("sweep", **header))
    if plan.growth is not None and plan.growth.earlier and state.earlier is None:
        state.apply(journal.append("earlier", configurations=[one.to_json() for one in plan.growth.earlier]))
    if search is not None and not state.proposals:
        first = search.ask(state)
        if isinstance(first, Proposal):  # else the plan would not have begun with one
            state.apply(journal.append("proposal", **proposal_data(0, plan.configurations[0].name, first)))
    for trial in plan.trials:
        known = state.trials.get(trial.trial)
        if known is None or canonical_json(known.spec.to_json()) != canonical_json(trial.to_json()):
            state.apply(journal.append("trial", spec=trial.to_json()))


def _rebuild(
    plan: Plan, journal: Journal, search: Searching | None, *, extended: bool, changed_search: bool
) -> tuple[Scheduler, tuple[Verdict, ...]]:
    """The plan's scheduler after everything in the journal, and the verdicts the journal lacks; `search` beside it."""
    scheduler = plan.new_scheduler()
    try:
        return scheduler, rebuild(scheduler, journal.events, search)
    except ReplayError as error:
        if search is not None and changed_search:
            raise InputError(
                f"search {plan.spec.search.name} with these settings would have proposed otherwise ({error}): begin a "
                "new sweep (another --out, or --fresh)"
            ) from error
        if not extended and scheduler_of(plan.spec.scheduler.to_json()).needs_seeds:
            raise InputError(
                f"the sweep was recorded under another rule of scheduler {plan.spec.scheduler.name} than that of this "
                f"version ({error}): it can be read, and not resumed; begin a new one (another --out, or --fresh)"
            ) from error
        if not extended:
            raise
        raise InputError(_decided_over(plan)) from error
