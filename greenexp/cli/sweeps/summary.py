"""The last lines of a run: how it ended, what came out, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import click

from greenexp.cli.printing.labelled import say
from greenexp.records.axes import AXES
from greenexp.records.worth import WORTH, worth_reached
from greenexp.units import format_duration, format_quantity

if TYPE_CHECKING:
    from greenexp.api.running import FinishedRun, RunOptions
    from greenexp.journal.state import SweepState
    from greenexp.plan import Plan
    from greenexp.tuning.run import Outcome

DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130


def print_summary(done: FinishedRun, options: RunOptions) -> int:
    """Print it and return the exit code. The report's path is the result and goes to stdout."""
    plan, outcome, folder, report = done.plan, done.outcome, done.folder, done.report
    state = outcome.state
    say(_ending(plan, outcome), _work(plan, state))
    best = state.best
    if best is not None:
        values = best.spec.searched
        searched = "  ".join(
            f"{path} {value:.3g}" if isinstance(value, float) else f"{path} {value}"
            for path, value in values.items()
            if value is not None or f"{path.rpartition('.')[0]}.name" not in values  # the plug-in has no such field
        )
        say("best", f"{best.spec.trial}  {plan.spec.metric.name} {best.score:.4f} (best dev value so far)  {searched}")
    for trial in state.trials.values():
        if trial.status == "failed":
            logs = shlex.join(["greenexp", "logs", trial.spec.trial, "--out", str(folder)])
            say("failed", f"{trial.spec.trial}: {trial.reason}  ({logs})")
    for line in _held_out(plan, state):
        say("test", line)
    for sentence in done.outlook:
        say("more", sentence)
    for problem in outcome.problems:
        say("problem", problem)
    if plan.spec.tracking.enabled and plan.spec.tracking.uri is None:
        uri = shlex.quote(f"sqlite:///{folder / 'mlflow.db'}")
        say("look around", f"mlflow ui --backend-store-uri {uri}")
    if outcome.status != "finished":
        # The resolved file and not the user's: it holds what --set changed, limits among it.
        more = " --set budget.AXIS=MORE" if outcome.status == "limit" else ""
        say("go on", _resuming(str(folder / "sweep.yaml"), ["--out", str(folder)], options) + more)
    if report is not None:
        say("report", "the path below")
        click.echo(report)
    if outcome.status == "interrupted":
        return INTERRUPTED
    failed = any(trial.status == "failed" for trial in state.trials.values())
    return SOME_FAILED if failed or outcome.problems else DONE


def print_cut_short(sweep: str, overrides: Sequence[str], options: RunOptions) -> None:
    """How to go on with a run that a further Ctrl-C or SIGTERM ended before its report."""
    where = [] if options.out is None else ["--out", str(options.out)]
    changed = [part for override in overrides for part in ("--set", override)]
    say("interrupted", f"without a report; go on with: {_resuming(sweep, [*changed, *where], options)}")


def _resuming(sweep: str, arguments: Sequence[str], options: RunOptions) -> str:
    command = ["greenexp", "run", sweep, *arguments, "--resume"]
    command += ["--address", options.address] if options.address else []
    command += ["--open-cluster"] if options.open_cluster else []
    command += ["--ship"] if options.ship else []
    return shlex.join(command)


def _held_out(plan: Plan, state: SweepState) -> list[str]:
    """`c003: accuracy 0.8512 on test (2 seeds; dev 0.8662)`, said once per chosen configuration."""
    trials = [trial for trial in state.chosen if trial.held_out]
    if not trials:
        return []
    test = fmean(trial.held_out[-1][1].score for trial in trials)
    dev = fmean(trial.score for trial in trials if trial.score is not None)  # whoever was evaluated has one
    name, count = trials[0].spec.configuration, len(trials)
    of, on = (f"{count} seed(s)", "dev") if plan.spec.seeds.folds is None else (f"{count} trials", "the left-out folds")
    return [f"{name}: {plan.spec.metric.name} {test:.4f} on test, mean of {of} (on {on} {dev:.4f})"]


def _ending(plan: Plan, outcome: Outcome) -> str:
    limit = outcome.state.limit
    worth = plan.spec.budget.worth
    if outcome.status == "limit" and limit is not None and limit.axis == WORTH and worth is not None:
        return f"ended: {worth_reached(limit, worth.per)}"
    if outcome.status == "limit" and limit is not None:
        unit = AXES[limit.axis].unit
        used, allowed = format_quantity(limit.used, unit), format_quantity(limit.limit, unit)
        return f"stopped at the limit on {limit.axis} ({used} of {allowed})"
    return "done" if outcome.status == "finished" else "interrupted"


def _work(plan: Plan, state: SweepState) -> str:
    trials = list(state.trials.values())
    full = sum(trial.spec.settings.training.epochs for trial in trials)
    given_up = sum(trial.given_up for trial in trials)
    counts = {status: sum(trial.status == status for trial in trials) for status in ("finished", "stopped", "failed")}
    never = f", {given_up} given up before they began" if given_up else ""
    early = sum(trial.status == "finished" and bool(trial.reason) for trial in trials)
    own = f" ({early} by patience)" if early else ""
    parts = [
        f"{format_duration(state.elapsed_s)}",
        f"{format_quantity(state.epochs_run, '')} of {full} epochs",
        (
            f"{counts['finished']} trials finished{own}, {counts['stopped'] - given_up} stopped early{never}, "
            f"{counts['failed']} failed"
        ),
    ]
    return " · ".join(parts)
