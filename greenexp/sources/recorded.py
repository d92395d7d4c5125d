"""Which trials of a recorded sweep a command means, and their logits: from a sweep's folder or from MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.errors import InputError, UnknownNameError
from greenexp.extras import require
from greenexp.sources.folders import sweep_folder

if TYPE_CHECKING:
    from greenexp.records.tables import SweepFacts
    from greenexp.replay.standing import StandingLogits

EVERY = "all"


@dataclass(frozen=True, eq=False)
class Recorded:
    """A sweep and the logits of some of its trials.

    name, metric: the sweep's; policies: of its record; folder: None if it was read from MLflow
    trials: trial -> its logits; why: how they came to be the ones; left_out: those of all whose logits cannot be read
    """

    name: str
    metric: str
    policies: list[Any]
    folder: Path | None
    trials: dict[str, StandingLogits]
    why: str
    left_out: tuple[str, ...] = ()


def recorded_logits(source: str, sweep: str | None, trials: Sequence[str]) -> Recorded:
    """The logits of the named trials, of all that have some (`all`), or of the chosen configuration's best one.

    source: a sweep's folder or an MLflow address. Raises InputError where no logits are kept, and says why;
    UnknownNameError for a trial there is not.
    """
    from greenexp.records.replayed import standing_logits

    def choose(facts: SweepFacts) -> list[str]:
        return _chosen(facts, set(standing_logits(facts)), trials)

    facts, found, folder = _read(source, sweep, choose)
    unreadable = [
        f"{trial} cannot be replayed: {'; '.join(logits.problems)}"
        for trial, logits in found.items()
        if logits.dev is None
    ]
    if unreadable and (EVERY not in trials or len(unreadable) == len(found)):
        raise InputError(unreadable[0])
    return Recorded(
        name=facts.history.name,
        metric=facts.spec.metric.name,
        policies=list(facts.history.policies),
        folder=folder,
        trials={trial: logits for trial, logits in found.items() if logits.dev is not None},
        why="" if trials else "the chosen configuration's best trial on dev",
        left_out=tuple(unreadable),
    )


def _read(
    source: str, sweep: str | None, choose: Callable[[SweepFacts], Iterable[str]]
) -> tuple[SweepFacts, dict[str, StandingLogits], Path | None]:
    if not Path(source).is_dir():
        require("mlflow")
        from greenexp.tracking.reader import address, read_logits

        uri, experiment = address(source)
        return *read_logits(uri, experiment, sweep, choose), None
    from greenexp.journal.file import NAME, read_events
    from greenexp.journal.state import SweepState
    from greenexp.journal.tables import sweep_facts
    from greenexp.records.at_rest import FOLDER
    from greenexp.records.replayed import standing_logits
    from greenexp.replay.standing import read_standing

    folder = sweep_folder(source)
    state = SweepState(read_events(folder / NAME))
    if not state.header:
        raise InputError(f"the journal in {folder} is empty: the sweep had not begun")
    facts = sweep_facts(state)
    standing = standing_logits(facts)
    return facts, {trial: read_standing(folder / FOLDER, standing[trial]) for trial in choose(facts)}, folder


def _chosen(facts: SweepFacts, standing: set[str], trials: Sequence[str]) -> list[str]:
    """The trials meant, in plan order if they are not named."""
    planned = [trial.trial for trial in sorted(facts.trials, key=lambda trial: trial.index)]
    for name in trials:
        if name != EVERY and name not in planned:
            raise UnknownNameError("trial", name, planned)
        if name != EVERY and name not in standing:
            raise InputError(f"{name} cannot be replayed: {_why_not(facts, name)}")
    if not standing:
        raise InputError(f"there are no logits to replay: {_why_not(facts, None)}")
    if EVERY in trials:
        return [name for name in planned if name in standing]
    return list(dict.fromkeys(trials)) or [_best(facts, standing)]


def _best(facts: SweepFacts, standing: set[str]) -> str:
    """The best trial of the chosen configuration that has logits, else the best one that has."""
    from greenexp.records.assemble import assemble
    from greenexp.records.selection import best_first, chosen_configuration, outcomes_of

    mode = facts.spec.metric.mode
    outcomes = outcomes_of(assemble(facts).trials)
    chosen = chosen_configuration(outcomes, mode)
    ranked = [outcome for outcome in best_first(outcomes, mode) if outcome.trial in standing]
    if not ranked:
        raise InputError("all trials with logits failed: say which one to replay with --trial")
    return next((outcome.trial for outcome in ranked if outcome.configuration == chosen), ranked[0].trial)


def _why_not(facts: SweepFacts, name: str | None) -> str:
    from greenexp.records.at_rest import AT_REST

    resting = [trial for trial in facts.trials if trial.status in AT_REST and name in (None, trial.trial)]
    if not resting:
        status = next((trial.status for trial in facts.trials if trial.trial == name), None)
        return f"it is {status}" if status is not None else "no trial has ended yet"
    return "it stored none" if name is not None else "none were stored"
