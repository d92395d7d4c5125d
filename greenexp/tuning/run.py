"""Running a sweep on Ray: one session, from the open journal to its orderly end."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from greenexp.errors import StateError
from greenexp.journal.events import Event
from greenexp.journal.state import SweepState
from greenexp.plan import Plan
from greenexp.plan.data import data_key, prepare_data
from greenexp.tuning.cluster import on_cluster, ray_cluster
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.models import prune_models
from greenexp.tuning.opening import OpenSweep

if TYPE_CHECKING:
    from greenexp.tasks.tokens import TokenisedTask
    from greenexp.tuning.bridge import Session
    from greenexp.tuning.worker import WorkerSettings

Prepare = Callable[[Mapping[str, Any]], "TokenisedTask"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended: `finished`, `limit` or `interrupted`, and where the sweep stands now.

    problems: what was left undone though the sweep has ended, e.g. a model that could not be evaluated on test
    """

    status: str
    state: SweepState
    problems: tuple[str, ...] = ()


def run_session(
    sweep: OpenSweep,
    plan: Plan,
    folder: Path,
    *,
    facts: Mapping[str, Any],
    prepare: Prepare = prepare_data,
    address: str | None = None,
    ready: Callable[[], None] | None = None,
    listen: Callable[[Event], None] | None = None,
    interrupting: Callable[[], None] | None = None,
) -> Outcome:
    """Train what the journal does not hold yet, until everything has ended, a limit is reached, or Ctrl-C.

    prepare: trial settings -> tokens; pass one that remembers if the plan has been priced before
    facts: for the `session` line: versions, machine, what can be measured
    ready: called once Ray is up, before any worker starts; it may wait for what must be there first
    listen: called with every event once it is on disk; interrupting: called at the first Ctrl-C
    The first Ctrl-C lets the running epochs end and saves their trials, the second one ends at once.
    """
    resources = plan.spec.resources
    conductor = Conductor(
        sweep.journal,
        sweep.state,
        sweep.scheduler,
        limits=plan.spec.budget.limits(),
        workers=resources.workers,
        listen=_pruning(folder, sweep.state, listen),
    )
    conductor.begin(facts, sweep.missing)
    with ray_cluster(
        workers=resources.workers,
        cpus_per_trial=resources.cpus_per_trial,
        gpus_per_trial=resources.gpus_per_trial,
        address=address,
    ):
        from greenexp.tuning.bridge import Session  # after Ray's environment is set
        from greenexp.tuning.held_out import evaluate_chosen

        session = Session(conductor, interrupting)
        if ready is not None:
            ready()
        with _interrupts(session):
            settings = _worker_settings(plan, folder, prepare)
            _fit(session, settings, plan)
        if session.error is not None:
            raise session.error
        problems: list[str] = []
        if conductor.selected:
            here = resources.gpus_per_trial == 0 and not on_cluster(address)
            problems = evaluate_chosen(conductor, settings, prepare, here=here)
    status = conductor.close()
    if status == "finished":
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return Outcome(status, conductor.state, tuple(problems))


def _pruning(folder: Path, state: SweepState, listen: Callable[[Event], None] | None) -> Callable[[Event], None]:
    """`listen`, and after every end of a trial the models that cannot be chosen any more are deleted."""

    def hear(event: Event) -> None:
        if listen is not None:
            listen(event)
        if event.kind in {"decision", "ended"} or (event.kind == "report" and event.data["record"]["last"]):
            prune_models(folder, state)

    return hear


def _worker_settings(plan: Plan, folder: Path, prepare: Prepare) -> WorkerSettings:
    """What the workers share, each distinct task in the object store once."""
    import ray

    from greenexp.tuning.worker import WorkerSettings

    resources = plan.spec.resources
    keys = {data_key(trial.settings): trial.settings for trial in plan.trials}
    return WorkerSettings(
        folder=folder.resolve(),
        data={key: ray.put(prepare(example)) for key, example in keys.items()},
        threads=resources.cpus_per_trial,
        gpus=resources.gpus_per_trial,
        exclusive=resources.workers == 1,
        accounting=plan.spec.accounting,
    )


def _fit(session: Session, settings: WorkerSettings, plan: Plan) -> None:
    """Tune's part. Its own folder is scratch: nothing in it is read again."""
    from ray import tune
    from ray.exceptions import RayError
    from ray.tune.error import TuneError

    from greenexp.tuning.bridge import Bridge, Feeder, Watcher
    from greenexp.tuning.worker import TrialWorker

    resources = plan.spec.resources
    scratch = settings.folder / "ray"
    # Request all workers at once: with Tune's default of one, a short epoch ends before the second worker is up.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.workers)
    worker = tune.with_parameters(TrialWorker, settings=settings)
    tuner = tune.Tuner(
        tune.with_resources(worker, {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial}),
        tune_config=tune.TuneConfig(
            search_alg=Feeder(session), scheduler=Bridge(session, resources.workers), num_samples=-1, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="session",
            storage_path=str(scratch),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=resources.max_failures),
            callbacks=[Watcher(session)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except (TuneError, RayError) as error:
        lines = str(error).strip().splitlines()
        reason = lines[-1] if lines else type(error).__name__
        raise StateError(f"Ray ended the session ({reason}); the journal is whole: go on with --resume") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _interrupts(session: Session) -> Iterator[None]:
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
