"""Beginning or resuming a sweep: the plan meets the journal, before Ray is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import InputError
from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState
from greenexp.plan import Plan
from greenexp.records.decision import Verdict
from greenexp.schedulers import Scheduler
from greenexp.tuning.replay import rebuild

# Sections that may change between sessions: they decide how much is done and where, not what a trial is.
CHANGEABLE = frozenset({"budget", "resources", "accounting", "tracking"})


@dataclass(slots=True)
class OpenSweep:
    """A sweep ready to run: its journal open for writing, its state and scheduler rebuilt from it.

    missing: verdicts the last driver died before writing; the session writes them first.
    """

    journal: Journal
    state: SweepState
    scheduler: Scheduler
    missing: tuple[Verdict, ...] = ()


def open_sweep(plan: Plan, resolved: Mapping[str, Any], folder: Path) -> OpenSweep:
    """Open the journal in `folder`, write the plan if it is new, and replay it if it is not.

    Raises InputError if the journal belongs to another plan, JournalError or ReplayError if it cannot be trusted.
    """
    journal = Journal(folder / NAME)
    try:
        state = SweepState(journal.events)
        _refuse_other_plan(state, resolved, folder)
        _write_plan(journal, state, plan, resolved)
        scheduler = plan.new_scheduler()
        missing = rebuild(scheduler, journal.events)
    except BaseException:
        journal.close()
        raise
    return OpenSweep(journal, state, scheduler, missing)


def _refuse_other_plan(state: SweepState, resolved: Mapping[str, Any], folder: Path) -> None:
    if not state.header:
        return
    changed = [
        section
        for section in sorted(set(state.spec) | set(resolved))
        if section not in CHANGEABLE and state.spec.get(section) != resolved.get(section)
    ]
    if changed:
        raise InputError(
            f"{folder} holds a sweep whose {', '.join(changed)} differ from this file's; run it with the file it was "
            f"begun with, choose another --out, or put it aside with --fresh"
        )


def _write_plan(journal: Journal, state: SweepState, plan: Plan, resolved: Mapping[str, Any]) -> None:
    """The `sweep` line (again if a changeable section changed) and a `trial` line for each trial not there yet."""
    if state.spec != resolved:
        header = {"format": FORMAT, "name": plan.spec.name, "fingerprint": plan.fingerprint, "spec": dict(resolved)}
        state.apply(journal.append("sweep", **header))
    for trial in plan.trials:
        if trial.trial not in state.trials:
            state.apply(journal.append("trial", spec=trial.to_json()))
