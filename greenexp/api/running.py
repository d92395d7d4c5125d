"""Running a sweep: plan and price, the session on Ray with MLflow beside it, the report."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.api.assets import asset_facts
from greenexp.api.exporting import CountingTracker, MetricsAddress, MetricsEndpoint, metrics_endpoint
from greenexp.api.folders import check_folder, prepare_folder
from greenexp.api.planning import Overrides, SweepSource, placed, plan_of, priced_plan, read_document, remembering
from greenexp.api.watching import Watcher
from greenexp.api.worth import worth_limit
from greenexp.errors import GreenexpError, InputError
from greenexp.records.axes import AXES
from greenexp.records.origins import ORIGINS
from greenexp.records.priced import PRICE
from greenexp.records.worth import PAYMENTS
from greenexp.sources.folders import DEFAULT

if TYPE_CHECKING:
    from greenexp.plan.data import Prepare
    from greenexp.plan.plans import Plan
    from greenexp.records.sweep_spec import SweepSpec
    from greenexp.tuning.opening import OpenSweep
    from greenexp.tuning.run import Outcome

END_S, LEAST_FLUSH_S = 15.0, 4.0
"""Seconds after the last event of a session at which a slow MLflow server is waited for no longer, the report having
been written meanwhile, and how long it is waited for at least; the rest is left to `sync`."""


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a sweep is run.

    out: results folder, `out/NAME` by default; resume: go on with the sweep in it; fresh: put that one aside
    address: of a running Ray cluster, a private Ray without one; open_cluster: join it though it has no token
    ship: send to its nodes the plug-ins that other packages provide here
    measured_in, calibrate: where the price in time and energy comes from, as of `greenexp.plan`
    metrics: where Prometheus may ask for the sweep's metrics while it runs, nowhere without it
    """

    out: Path | None = None
    resume: bool = False
    fresh: bool = False
    address: str | None = None
    open_cluster: bool = False
    ship: bool = False
    measured_in: str | Path | None = None
    calibrate: bool = False
    metrics: MetricsAddress | None = None

    def __post_init__(self) -> None:
        """Raises InputError where `out` is the address of a store: pathlib takes it for folders of such names."""
        if self.out is not None and _ADDRESS.match(str(self.out)):
            raise InputError(
                f"--out {self.out}: results lie in a folder of this machine, or one that is mounted on it; copy the "
                "folder to a store when the sweep has ended"
            )


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What a run came to: its plan, how its session ended, the results folder, the report, None if there is none.

    outlook: what further configurations are expected to gain, in sentences
    """

    plan: Plan
    outcome: Outcome
    folder: Path
    report: Path | None
    outlook: tuple[str, ...] = ()


def run_sweep(sweep: SweepSource, overrides: Overrides, options: RunOptions, watch: Watcher) -> FinishedRun:
    """Run a sweep to its end, to a limit, or to the first Ctrl-C; its report is written in any case.

    Raises SweepFileError with all problems of the sweep, InputError for a folder that is in use or holds another sweep
    and for what this machine cannot do, StateError where the journal cannot be trusted or written, TrackingError for a
    database of MLflow on a network file system.
    """
    from greenexp.plan.data import prepare_data

    document = read_document(sweep, overrides)
    begun = (options.out or DEFAULT / document.spec.name) if options.resume and document.spec is not None else None
    plan = _with_absolute_address(plan_of(document, begun))
    folder = options.out or DEFAULT / plan.spec.name
    check_folder(folder, resume=options.resume, fresh=options.fresh)
    _check_address(plan, folder)
    if options.address is None:
        _check_compiler(plan)
    prepare = remembering(prepare_data)
    with metrics_endpoint(options.metrics) as endpoint:
        with placed(document):
            plan = priced_plan(plan, watch, prepare, measured_in=options.measured_in, calibrate=options.calibrate)
        watch.planned(plan)
        if endpoint is not None:
            open_to = "" if endpoint.loopback else ", open to everybody who can reach this machine"
            watch.remark("metrics", f"{endpoint.address}{open_to}")
        prepare_folder(folder, watch, fresh=options.fresh)
        outcome, report, further = _session(plan, folder, options, prepare, watch, endpoint)
    return FinishedRun(plan, outcome, folder, report, further)


def _check_compiler(plan: Plan) -> None:
    """InputError where trials that ask for compiled layers would fail on this machine, before anything has run."""
    if not any(settings.training.compile for settings in plan.possible_settings()):
        return
    from greenexp.training.compiled import check_compiler

    check_compiler("cuda" if plan.spec.resources.gpus_per_trial > 0 else "cpu")


def _with_absolute_address(plan: Plan) -> Plan:
    """A relative SQLite address is meant from here; a later `sync` may be started elsewhere."""
    tracking = plan.spec.tracking
    if tracking.uri is None:
        return plan
    from greenexp.tracking.server import absolute

    tracking = tracking.model_copy(update={"uri": absolute(tracking.uri)})
    return dataclasses.replace(plan, spec=plan.spec.model_copy(update={"tracking": tracking}))


def _session(
    plan: Plan, folder: Path, options: RunOptions, prepare: Prepare, watch: Watcher, endpoint: MetricsEndpoint | None
) -> tuple[Outcome, Path | None, tuple[str, ...]]:
    """Tuning and tracking side by side over one journal, then the report, and what more would bring."""
    from greenexp.spec import dump_resolved, resolved
    from greenexp.tuning.cluster import set_environment
    from greenexp.tuning.opening import open_sweep
    from greenexp.tuning.run import run_session, sigterm_as_ctrl_c

    set_environment()
    facts = _facts(plan, prepare)
    sweep = open_sweep(plan, resolved(plan.spec), folder, data=facts["data"])
    try:
        for remark in journal_remarks(sweep):
            watch.remark("journal", remark)
        (folder / "sweep.yaml").write_text(dump_resolved(plan.spec), encoding="utf-8")
        with sigterm_as_ctrl_c() as take_sigterm, _tracking(plan, folder, watch) as tracker:
            if endpoint is not None:
                endpoint.follow(folder, tracker.written if tracker is not None else lambda: None)

            def ready() -> None:
                take_sigterm()
                if tracker is not None:
                    tracker.wait_for_database()

            watch.began(sweep.state)
            try:
                outcome = run_session(
                    sweep,
                    folder,
                    facts=facts,
                    prepare=prepare,
                    address=options.address,
                    open_cluster=options.open_cluster,
                    ship=options.ship,
                    ready=ready,
                    waiting=lambda text: watch.remark("cluster", text),
                    listen=watch.event,
                    interrupting=watch.interrupted,
                    enough=worth_limit(plan),
                    broken_off=watch.broken_off,
                )
            finally:
                watch.ended()
                if tracker is not None:
                    tracker.session_ended()
            report, further = _write_report(folder, watch)  # before MLflow is waited for, which gets it too
        return outcome, report, further
    finally:
        sweep.journal.close()


def journal_remarks(sweep: OpenSweep) -> Iterator[str]:
    """What the user should know of a journal that goes on."""
    if sweep.journal.torn_b:
        yield f"its last line was half-written ({sweep.journal.torn_b} bytes) and has been cut off: nobody acted on it"
    if sweep.state.remark is not None:
        yield sweep.state.remark


def _facts(plan: Plan, prepare: Prepare) -> dict[str, Any]:
    """What the session's line says of this machine. InputError for limits and rungs that could not be watched here."""
    from greenexp.meters import survey
    from greenexp.meters.machine import machine_facts
    from greenexp.plan.cautions import method_cautions
    from greenexp.plan.data import data_facts

    resources = plan.spec.resources
    measured = survey(
        exclusive=resources.workers == 1,
        accounting=plan.spec.accounting,
    )
    for place, axis in _watched(plan.spec):
        can, how = measured[axis]
        if not can:
            raise InputError(f"{place} cannot be watched on this machine: {how}")
    return {
        **machine_facts(),
        "measured": {axis: list(row) for axis, row in measured.items()},
        "data": data_facts((configuration.settings for configuration in plan.configurations), prepare),
        "assets": asset_facts(plan),
        "cautions": list(method_cautions(plan.possible_settings())),
        **({} if plan.price is None else {PRICE: plan.price.facts()}),
        **({ORIGINS: list(plan.price.origins)} if plan.price is not None and plan.price.origins else {}),
    }


def _watched(spec: SweepSpec) -> Iterator[tuple[str, str]]:
    """Field -> axis that it needs a measurement of."""
    budget = spec.budget
    yield from ((f"budget.{axis}", axis) for axis in budget.limits())
    yield from ((f"search.budget.{axis}", axis) for axis in spec.search.limits())
    if budget.worth is not None and PAYMENTS[budget.worth.per].axis:
        yield "budget.worth", PAYMENTS[budget.worth.per].axis
    resource = spec.scheduler.options.get("resource")
    if resource in AXES:
        yield "scheduler.resource", str(resource)


def _address(plan: Plan, folder: Path) -> tuple[str, str]:
    """MLflow's address and the experiment of this sweep."""
    from greenexp.tracking.places import recorded_uri

    tracking = plan.spec.tracking
    return recorded_uri(folder, tracking.uri), tracking.experiment or plan.spec.name


def _check_address(plan: Plan, folder: Path) -> None:
    """TrackingError for an address that no sweep may be recorded at, before anything has run."""
    from greenexp.tracking.server import refuse_network_database

    if plan.spec.tracking.enabled:
        refuse_network_database(_address(plan, folder)[0])


@contextmanager
def _tracking(plan: Plan, folder: Path, watch: Watcher) -> Iterator[CountingTracker | None]:
    """MLflow follows the journal for as long as the sweep runs; whatever it does, the sweep goes on."""
    if not plan.spec.tracking.enabled:
        yield None
        return
    tracker = CountingTracker(folder, *_address(plan, folder), remark=partial(watch.remark, "MLflow"))
    tracker.start()  # beside the start of Ray, which takes as long as making a database
    try:
        yield tracker
    finally:
        if not tracker.stop(END_S, least_s=LEAST_FLUSH_S):
            reason = f" ({tracker.problem})" if tracker.problem else ""
            command = shlex.join(["greenexp", "sync", str(folder)])
            watch.remark("MLflow", f"is behind{reason}: `{command}` brings it level, and adds the report")


def _write_report(folder: Path, watch: Watcher) -> tuple[Path | None, tuple[str, ...]]:
    """The report's path, None if it could not be written, and what further configurations are expected to gain."""
    from greenexp.analysis.search.outlook import outlook
    from greenexp.analysis.search.progress import search_progress
    from greenexp.analysis.sweeps.metric import metric_of
    from greenexp.journal.tables import read_tables
    from greenexp.report import render_report

    try:
        tables = read_tables(folder)
        report = render_report(tables, ("html",), folder)[0]
        progress = search_progress(tables)
        return report, outlook(progress, metric_of(tables)) if progress.gains else ()
    except (GreenexpError, OSError) as error:
        watch.remark("report", f"not written: {error}")
        return None, ()
