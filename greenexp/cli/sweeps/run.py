"""The command `greenexp run`."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.assets import find_sweep
from greenexp.cli.sweeps.fetching import asset_facts, fetch_assets
from greenexp.cli.sweeps.folders import put_aside
from greenexp.cli.sweeps.preview import print_preview, remembering
from greenexp.cli.sweeps.summary import print_summary
from greenexp.errors import GreenexpError, InputError, TrackingError
from greenexp.sources.folders import DEFAULT, JOURNAL

if TYPE_CHECKING:
    from greenexp.plan import Plan
    from greenexp.tuning.run import Outcome, Prepare

FLUSH_S = 20.0  # how long a finished sweep waits for a slow MLflow server before it leaves the rest to `sync`


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for on the command line."""

    source: Path
    overrides: tuple[str, ...]
    out: Path | None
    resume: bool
    fresh: bool
    address: str | None
    open_cluster: bool


@click.command()
@click.argument("sweep", default="smoke", metavar="[SWEEP]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a field of the sweep file.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Results folder (default: out/NAME).")
@click.option("--resume", is_flag=True, help="Go on with the sweep in the results folder.")
@click.option("--fresh", is_flag=True, help="Put the sweep in the results folder aside and begin anew.")
@click.option("--address", metavar="ADDR", help="Run on this Ray cluster (default: a private Ray on this machine).")
@click.option("--open-cluster", is_flag=True, help="Join a Ray cluster that lets in clients without a token.")
@click.option("--dry-run", is_flag=True, help="Say what would be run and what it costs at most, then stop.")
def run(
    sweep: str,
    overrides: tuple[str, ...],
    out: Path | None,
    resume: bool,
    fresh: bool,
    address: str | None,
    open_cluster: bool,
    dry_run: bool,
) -> int:
    """SWEEP is a sweep file, or the name of a sweep that comes with greenexp; its report is written at the end.

    Ctrl-C ends it cleanly; --resume goes on where it ended, also after a crash.
    """
    from greenexp.plan.data import prepare_data
    from greenexp.plan.price import price_plan

    if resume and fresh:
        raise InputError("--resume and --fresh exclude each other")
    order = Order(find_sweep(sweep), overrides, out, resume, fresh, address, open_cluster)
    plan, resolved = _load(order)
    folder = out or DEFAULT / plan.spec.name
    prepare = remembering(prepare_data)
    fetch_assets(plan)
    print_preview(plan, price_plan(plan, prepare))
    if dry_run:
        return 0
    if order.open_cluster:
        click.echo(
            "open cluster  everybody who can reach it may run code on it, and read what the sweep reads", err=True
        )
    _prepare_folder(folder, order)
    outcome, report = _run(plan, resolved, folder, order, prepare)
    return print_summary(plan, outcome, folder, report, order.address, open_cluster=order.open_cluster)


def _load(order: Order) -> tuple[Plan, dict[str, Any]]:
    from greenexp.plan import make_plan
    from greenexp.spec import load_sweep, resolved

    plan = make_plan(load_sweep(order.source, order.overrides))
    tracking = plan.spec.tracking
    if tracking.uri is not None:
        from greenexp.tracking.server import absolute

        tracking = tracking.model_copy(update={"uri": absolute(tracking.uri)})
        plan = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"tracking": tracking}))
    return plan, resolved(plan.spec)


def _prepare_folder(folder: Path, order: Order) -> None:
    """Refuse to mix two sweeps: an existing one is resumed or put aside, as the user says."""
    there = (folder / JOURNAL).is_file()
    if there and order.fresh:
        click.echo(f"put aside     {put_aside(folder)}", err=True)
    elif there and not order.resume:
        raise InputError(
            f"{folder} holds a sweep already: --resume goes on with it, --fresh puts it aside, --out DIR goes elsewhere"
        )
    elif order.resume and not there:
        raise InputError(f"there is nothing to resume: {folder} holds no sweep")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # logits and texts may be private data
    except OSError as error:
        raise InputError(f"cannot create {folder}: {error.strerror}") from error


def _run(
    plan: Plan, resolved: dict[str, Any], folder: Path, order: Order, prepare: Prepare
) -> tuple[Outcome, Path | None]:
    """Tuning and tracking side by side over one journal, then the report."""
    from greenexp.cli.sweeps.progress import open_progress
    from greenexp.spec import dump_resolved
    from greenexp.tuning.cluster import set_environment
    from greenexp.tuning.opening import open_sweep
    from greenexp.tuning.run import run_session

    set_environment()
    facts = _facts(plan, prepare)
    sweep = open_sweep(plan, resolved, folder, data=facts["data"])
    try:
        (folder / "sweep.yaml").write_text(dump_resolved(plan.spec), encoding="utf-8")
        with _tracking(plan, folder) as ready:
            with open_progress(sweep.state, plan.spec.budget.limits()) as progress:
                outcome = run_session(
                    sweep,
                    folder,
                    facts=facts,
                    prepare=prepare,
                    address=order.address,
                    open_cluster=order.open_cluster,
                    ready=ready,
                    listen=progress.show,
                    interrupting=lambda: progress.say(
                        "ending after the running epochs (again Ctrl-C: without waiting)"
                    ),
                )
            report = _write_report(folder)  # before MLflow is waited for
        if report is not None:
            _attach(plan, folder, report)
        return outcome, report
    finally:
        sweep.journal.close()


def _attach(plan: Plan, folder: Path, report: Path) -> None:
    """The report beside its runs in MLflow; a server that does not answer costs a note."""
    if not plan.spec.tracking.enabled:
        return
    from greenexp.tracking.attachment import attach

    uri, experiment = _address(plan, folder)
    try:
        attach(folder, uri, experiment, [report])
    except TrackingError as error:
        click.echo(f"MLflow        has no report: {error}", err=True)


def _address(plan: Plan, folder: Path) -> tuple[str, str]:
    """MLflow's address and the experiment of this sweep."""
    from greenexp.tracking.server import default_uri

    tracking = plan.spec.tracking
    return tracking.uri or default_uri(folder), tracking.experiment or plan.spec.name


def _facts(plan: Plan, prepare: Prepare) -> dict[str, Any]:
    """What the session's line says of this machine. InputError for a limit that could not be watched here."""
    from greenexp.meters.machine import machine_facts
    from greenexp.meters import survey
    from greenexp.plan.data import data_facts

    resources = plan.spec.resources
    measured = survey(
        exclusive=resources.workers == 1,
        exclusive_gpus=resources.gpus_per_trial >= 1,
        accounting=plan.spec.accounting,
    )
    for axis in plan.spec.budget.limits():
        can, how = measured[axis]
        if not can:
            raise InputError(f"budget.{axis} cannot be watched on this machine: {how}")
    return {
        **machine_facts(),
        "measured": {axis: list(row) for axis, row in measured.items()},
        "data": data_facts((configuration.settings for configuration in plan.configurations), prepare),
        "assets": asset_facts(plan),
    }


@contextmanager
def _tracking(plan: Plan, folder: Path) -> Iterator[Callable[[], None]]:
    """MLflow follows the journal for as long as the sweep runs; whatever it does, the sweep goes on.

    Yields a function that returns once its database is there.
    """
    if not plan.spec.tracking.enabled:
        yield lambda: None
        return
    from greenexp.tracking.server import prepare
    from greenexp.tracking.writer import Tracker

    uri, experiment = _address(plan, folder)
    tracker = Tracker(folder, uri, experiment)

    def begin() -> None:
        """Two processes that open a new database together damage it, so it is made before any worker starts."""
        try:
            prepare(uri, experiment)
        except TrackingError as error:
            click.echo(f"MLflow        does not answer: {error}; the sweep goes on without it", err=True)
        tracker.start()

    beginning = threading.Thread(target=begin, name="greenexp-mlflow", daemon=True)
    beginning.start()  # beside the start of Ray, which takes as long
    try:
        yield beginning.join
    finally:
        beginning.join()
        if not tracker.stop(timeout_s=FLUSH_S):
            reason = f" ({tracker.problem})" if tracker.problem else ""
            click.echo(f"MLflow        is behind{reason}: `greenexp sync {folder}` brings it level", err=True)


def _write_report(folder: Path) -> Path | None:
    from greenexp.journal.tables import read_tables
    from greenexp.report import render_report

    try:
        return render_report(read_tables(folder), ("html",), folder)[0]
    except (GreenexpError, OSError) as error:
        click.echo(f"report        not written: {error}", err=True)
        return None
