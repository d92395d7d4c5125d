"""Tune's part of a session. Import it only after Ray's environment has been set (`cluster.set_environment`)."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune

from greenexp.assets import pack
from greenexp.errors import BrokenOffError
from greenexp.journal.state import SweepState
from greenexp.plan import Plan
from greenexp.plan.data import backbone_assets, data_key
from greenexp.plan.plugins import added_plugins
from greenexp.records.epoch import AT_ONCE
from greenexp.records.sections import Resources
from greenexp.records.settings import Settings
from greenexp.tasks.prepared import PreparedTask
from greenexp.tuning.bridge import Bridge, Feeder, TuneSession, WorkerEvents
from greenexp.tuning.delivered_origins import packed_origins
from greenexp.tuning.delivered_tokens import start_token_keeper, token_folders
from greenexp.tuning.energy import has_counters, start_samplers
from greenexp.tuning.fused_worker import FusedWorker
from greenexp.tuning.nodes import driver_facts, needed_by_process, shipped_plugins
from greenexp.tuning.parallel_worker import ParallelWorker
from greenexp.tuning.results import DeliveredResults, SharedResults, start_keeper
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import LeanTrainable, TrialWorker


def worker_settings(
    plan: Plan, folder: Path, prepare: Callable[[Settings], PreparedTask], *, cluster: bool, ship: bool = False
) -> WorkerSettings:
    """What the workers share, each distinct task in the object store once.

    folder: of the results; on a `cluster` the workers need not see it, and weights and models of other sweeps travel
    ship: send the plug-ins of other packages with their code
    """
    resources = plan.spec.resources
    keys = {data_key(settings): settings for settings in plan.possible_settings()}
    data = {key: prepare(example) for key, example in keys.items()}
    folders = {name: folder for one in data.values() for name, folder in token_folders(one).items()}
    return WorkerSettings(
        results=DeliveredResults(start_keeper(folder)) if cluster else SharedResults(folder.resolve()),
        data={key: ray.put(one) for key, one in data.items()},
        threads=resources.cpus_per_process,
        gpus=resources.gpus_per_process,
        exclusive=resources.workers == resources.processes_per_trial == 1,
        accounting=plan.spec.accounting,
        checkpoint_every_s=resources.checkpoint_every,
        assets={name: ray.put(pack(name)) for name in _assets(plan)} if cluster else {},
        origins={name: ray.put(sent) for name, sent in packed_origins(plan).items()} if cluster else {},
        tokens=start_token_keeper(folders) if cluster else None,
        plugins=(*added_plugins(), *(shipped_plugins(plan) if ship else ())),
        driver=driver_facts() if cluster else None,
        energy=start_samplers() if cluster or has_counters() else None,
        processes=resources.processes_per_trial,
        mps=resources.mps,
    )


def _assets(plan: Plan) -> set[str]:
    return {name for settings in plan.possible_settings() for name in backbone_assets(settings)}


def asked_memory(plan: Plan, state: SweepState, nodes: Iterable[Mapping[str, Any]]) -> int | None:
    """Bytes that a worker asks Ray for: the largest peak on record of the plan's trials, so that no node is overfull.

    state: whose reports count beside those of earlier sweeps; nodes: of the cluster, the largest of which it must fit.
    One number for all, as a worker takes one trial after another. None where nothing was measured, and for trials on a
    GPU, whose memory Ray does not hand out.
    """
    if plan.spec.resources.gpus_per_trial > 0:
        return None
    known = [] if plan.price is None else [plan.price.foreseen.memory_b]
    records = (record for trial in state.trials.values() for record in trial.records.values())
    known += [record.costs.peak_memory_b for record in records if AT_ONCE not in record.computed_with]
    offered = [node["Resources"].get("memory", 0.0) for node in nodes if node["Alive"]]
    most = max((peak for peak in known if peak is not None), default=0.0)
    return int(min(most, max(offered, default=0.0))) or None


def _usual(resources: Resources) -> type[LeanTrainable]:
    """The worker that the sweep file asks for."""
    if resources.fuse_seeds:
        return FusedWorker
    return TrialWorker if resources.processes_per_trial == 1 else ParallelWorker


def fit(
    session: TuneSession,
    settings: WorkerSettings,
    plan: Plan,
    scratch: Path,
    worker: type[LeanTrainable] | None = None,
) -> None:
    """Run a fresh Tuner until the conductor has nothing more to hand out.

    worker: of the trials, None: what the sweep file says of its seeds
    scratch: a folder for what Tune writes; nobody reads it, and it is deleted at the end

    Tune never tries a trial again by itself (`max_failures=0`): a worker that dies while it is being reset is told to
    Tune twice, and its own recovery would then fail the trial for good.
    """
    resources = plan.spec.resources
    # Request all workers at once: with Tune's default of one, a short epoch ends before the second worker is up.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.workers)
    trainable = tune.with_parameters(worker or _usual(resources), settings=settings)
    memory_b = asked_memory(plan, session.conductor.state, ray.nodes())
    needed = needed_by_process(resources) | ({} if memory_b is None else {"memory": float(memory_b)})
    tuner = tune.Tuner(
        tune.with_resources(trainable, tune.PlacementGroupFactory([needed] * resources.processes_per_trial)),
        tune_config=tune.TuneConfig(
            search_alg=Feeder(session, fused=resources.fuse_seeds),
            scheduler=Bridge(session, resources.workers),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="session",
            storage_path=str(scratch.resolve()),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[WorkerEvents(session)],
            verbose=0,
        ),
    )
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)  # lists trials by names of its own
    try:
        tuner.fit()
    except Exception as error:  # Tune, Ray, or reading back a result file that a full disk has cut short
        if not session.over:
            lines = str(error).strip().splitlines()
            reason = lines[-1] if lines else type(error).__name__
            session.error = session.error or BrokenOffError(f"Ray ended the session ({reason})")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
