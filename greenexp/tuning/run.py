"""Running a sweep on Ray: one session, from the open journal to its orderly end."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from greenexp.errors import JournalError, abridged
from greenexp.journal.events import Event
from greenexp.journal.state import SweepState
from greenexp.plan.data import Prepare, prepare_data
from greenexp.tuning.checkpoints import drop_checkpoints, prune_checkpoints
from greenexp.tuning.cluster import on_cluster, ray_cluster
from greenexp.tuning.conductor import Conductor, Enough
from greenexp.tuning.dead_ray import watched_ray
from greenexp.tuning.models import prune_models
from greenexp.tuning.mps import end_service, mps_service
from greenexp.tuning.opening import OpenSweep

if TYPE_CHECKING:
    from greenexp.plan import Plan
    from greenexp.tuning.bridge import TuneSession
    from greenexp.tuning.taker import WorkerSettings


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended: `finished`, `limit` or `interrupted`, and where the sweep stands now.

    problems: what was left undone though the sweep has ended, e.g. a model that could not be evaluated on test, and
        what the journal names and is no longer there
    """

    status: str
    state: SweepState
    problems: tuple[str, ...] = ()


def run_session(
    sweep: OpenSweep,
    folder: Path,
    *,
    facts: Mapping[str, Any],
    prepare: Prepare = prepare_data,
    address: str | None = None,
    open_cluster: bool = False,
    ship: bool = False,
    ready: Callable[[], None] | None = None,
    waiting: Callable[[str], None] = lambda _: None,
    listen: Callable[[Event], None] | None = None,
    interrupting: Callable[[], None] | None = None,
    enough: Enough | None = None,
    broken_off: Callable[[str], None] | None = None,
) -> Outcome:
    """Train what the journal does not hold yet, until everything has ended, a limit is reached, or Ctrl-C.

    prepare: trial settings -> tokens; pass one that remembers if the plan has been priced before
    facts: for the `session` line: versions, machine, what can be measured
    address: of a running Ray cluster; open_cluster: join it though it lets in clients without a token
    ship: send to the cluster the plug-ins that other packages provide
    ready: called once Ray is up, before any worker starts; it may wait for what must be there first
    waiting: told of the cluster while a node is waited for
    listen: called with every event once it is on disk; interrupting: called at the first Ctrl-C
    enough: asked before a configuration is begun whether it is still worth its cost
    broken_off: told why before this process is ended, because a process of its private Ray has died
    The first Ctrl-C lets the running epochs end and saves their trials, the second one ends at once.
    """
    prune_models(folder, sweep.state)  # a driver killed between the journal's line and the deletion left them
    if sweep.finished:
        return Outcome("finished", sweep.state, _lost(sweep.state, folder))
    plan, resources = sweep.plan, sweep.plan.spec.resources
    sweep.journal.forget()
    conductor = Conductor(
        sweep.journal,
        sweep.state,
        sweep.scheduler,
        limits=plan.spec.budget.limits(),
        workers=resources.workers,
        max_failures=resources.max_failures,
        processes=resources.processes_per_trial,
        search=sweep.search,
        listen=_tidying(folder, sweep.state, listen),
        enough=enough,
    )
    shape = {name: getattr(resources, name) for name in ("workers", "cpus_per_trial", "gpus_per_trial")}
    with (
        mps_service(wanted=resources.mps, address=address) as mps,
        ray_cluster(**shape, address=address, open_cluster=open_cluster, worker_env=mps),
        watched_ray(_ending_mps(broken_off, mps)),
    ):
        if on_cluster(address):
            _check_cluster(plan, waiting, ship=ship)
        problems = _train(conductor, sweep, folder, facts, prepare, address, ready, interrupting, ship=ship)
    status = conductor.close()
    if status == "finished":
        drop_checkpoints(folder)
    return Outcome(status, conductor.state, (*problems, *_lost(conductor.state, folder, problems)))


def _ending_mps(broken_off: Callable[[str], None] | None, clients: Mapping[str, str]) -> Callable[[str], None]:
    """`broken_off`, which comes before this process is ended, and then the end of MPS, which no one else would end."""

    def tell(reason: str) -> None:
        try:
            if broken_off is not None:
                broken_off(reason)
        finally:
            end_service(clients)

    return tell


def _check_cluster(plan: Plan, waiting: Callable[[str], None], *, ship: bool) -> None:
    """With Ray up: refuse a cluster on which trials would fail, after nodes have had their time to join it."""
    from greenexp.tuning.growing_cluster import wait_for_node
    from greenexp.tuning.nodes import check_nodes

    wait_for_node(plan.spec.resources, waiting)
    check_nodes(plan, ship=ship)


def _train(
    conductor: Conductor,
    sweep: OpenSweep,
    folder: Path,
    facts: Mapping[str, Any],
    prepare: Prepare,
    address: str | None,
    ready: Callable[[], None] | None,
    interrupting: Callable[[], None] | None,
    *,
    ship: bool,
) -> tuple[str, ...]:
    """With Ray up: the session's training, and the test set if something has been chosen; returns what went undone."""
    from greenexp.tuning.bridge import TuneSession  # only now: importing Ray reads the environment
    from greenexp.tuning.energy import EnergyWatch
    from greenexp.tuning.fitting import fit, worker_settings
    from greenexp.tuning.shared_fate import SharedFate

    plan = sweep.plan
    conductor.begin(facts, sweep.missing)
    session = TuneSession(
        conductor,
        interrupting,
        no_report_limit_s=plan.spec.resources.no_report_limit,
        expected_report_s=None if plan.price is None else plan.price.foreseen.report_s,
    )
    settings = worker_settings(plan, folder, prepare, cluster=on_cluster(address), ship=ship)
    if settings.energy is not None:
        session.energy = EnergyWatch(settings.energy, conductor)
    if settings.mps:
        session.fate = SharedFate(conductor)
    if ready is not None:
        ready()
    with _interrupts(session):
        fit(session, settings, plan, folder / "ray")
    if session.fate is not None:
        session.guard(functools.partial(session.fate.look, over=True))
    if session.error is not None:
        with contextlib.suppress(JournalError):  # it may be the journal that cannot be written
            reason = getattr(session.error, "reason", str(session.error))
            conductor.close(abridged(f"the sweep broke off: {reason}"))
        raise session.error
    problems = _on_test(conductor, settings, prepare, folder, plan) if conductor.selected else ()
    if session.energy is not None:
        session.energy.finish()
    return problems


def _on_test(
    conductor: Conductor, settings: WorkerSettings, prepare: Prepare, folder: Path, plan: Plan
) -> tuple[str, ...]:
    """Evaluate what has been chosen on the test set; returns what could not be."""
    from greenexp.tuning.held_out import evaluate_chosen
    from greenexp.tuning.results import SharedResults

    here = plan.spec.resources.gpus_per_trial == 0
    if here:
        settings = dataclasses.replace(settings, results=SharedResults(folder.resolve()))
    return tuple(evaluate_chosen(conductor, settings, prepare, here=here))


def _lost(state: SweepState, folder: Path, known: Sequence[str] = ()) -> tuple[str, ...]:
    """What the journal names and the folder does not hold as it was written; known: problems that were found before."""
    from greenexp.tuning.kept_files import lost_files

    found = ((trial, f"{trial}: {why}") for trial, why in lost_files(state, folder))
    return tuple(text for trial, text in found if not any(problem.startswith(f"{trial} ") for problem in known))


def _tidying(folder: Path, state: SweepState, listen: Callable[[Event], None] | None) -> Callable[[Event], None]:
    """`listen`, then delete the models and checkpoints that the event made superfluous."""

    def hear(event: Event) -> None:
        if listen is not None:
            listen(event)
        if event.kind in {"decision", "ended", "paused", "report", "saved"}:
            prune_checkpoints(folder, state, event)
        if event.kind in {"decision", "ended"} or (event.kind == "report" and event.data["record"]["last"]):
            prune_models(folder, state)

    return hear


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[Callable[[], None]]:
    """SIGTERM raises KeyboardInterrupt, before and after a session too; outside the main thread nothing is changed.

    Yields what takes the signal again: `ray.init` sets a handler of its own, which ends the process with code 15.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def take() -> None:
        signal.signal(signal.SIGTERM, handle)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield take
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _interrupts(session: TuneSession) -> Iterator[None]:
    """Ctrl-C and SIGTERM drain the session, a second one halts it; the handler only says so, and Tune's loop acts.

    Outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        session.halted = session.conductor.draining
        session.conductor.drain()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
