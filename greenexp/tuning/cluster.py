"""Starting and stopping Ray, quietly and with everything explicit that Ray would otherwise guess."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from greenexp.errors import InputError
from greenexp.meters.nvml import visible_gpus
from greenexp.tuning.access import AnswerWithoutToken, answer_of, cluster_access, private_access, refuse_open_cluster
from greenexp.tuning.ray_processes import no_process_left

# Read by Ray when it is imported or started, on this machine and (through the runtime environment) on others.
_DRIVER_ENV: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints a banner at any verbosity
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # 6 ms and a file handle per trial for records we keep ourselves
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a dead worker is told in one line, by us
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # Tune sees no metric: our own scheduler decides
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is handled in `run`
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Tune's own experiment state is never read
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
WORKER_ENV: Mapping[str, str] = {
    # A worker without a GPU must not lose sight of the machine's variables; `nodes` asks torch for GPUs in such a one.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # a folder of weights is named from where the user stands
    # A waiting thread gives its core up: trials share cores, and a spinning one halves its neighbour's speed.
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def set_environment() -> None:
    """Set what Ray reads at import; the user's own settings win. Call before the first `import ray`."""
    for name, value in {**_DRIVER_ENV, **WORKER_ENV}.items():
        os.environ.setdefault(name, value)


def on_cluster(address: str | None) -> bool:
    """Whether `ray_cluster` joins a running cluster instead of starting a private Ray."""
    return _cluster_address(address) is not None


def _cluster_address(address: str | None) -> str | None:
    """The address asked for, else RAY_ADDRESS; None for `local`, by which Ray means one of the program's own."""
    named = address or os.environ.get("RAY_ADDRESS") or "local"
    return None if named == "local" else named


@contextmanager
def ray_cluster(
    *,
    workers: int,
    cpus_per_trial: int,
    gpus_per_trial: float,
    address: str | None = None,
    open_cluster: bool = False,
    worker_env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Ray with room for `workers` trials: a private one on this machine, or the running cluster at `address`.

    RAY_ADDRESS (set inside a Ray job) counts as an address; `auto` is this machine's cluster, `local` a private one.
    Ray is shut down on leaving; a cluster is only left.
    open_cluster: join a cluster that lets in clients without a token, which is refused otherwise
    worker_env: what the environment of a private Ray's workers has besides this process' own
    """
    set_environment()
    _refuse_running_ray()
    joined = _cluster_address(address)
    if joined is not None:
        ray = _joined(joined, open_cluster=open_cluster)
    else:
        ray = _private(workers * cpus_per_trial, _gpus_here(workers * gpus_per_trial), worker_env or {})
    with ray, _quiet():
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what Ray says of nodes and trials that died: the journal's events say it in one line.

    Ray prints some of it past every logger and has no setting for that; its own logs have all of it.
    """
    worker, logger = import_module("ray._private.worker"), logging.getLogger("ray")
    name, level = "print_to_stdstream", logger.level
    printing = getattr(worker, name, None)
    logger.setLevel(logging.CRITICAL)
    if printing is not None:
        setattr(worker, name, lambda *_, **__: None)
    try:
        yield
    finally:
        logger.setLevel(level)
        if printing is not None:
            setattr(worker, name, printing)


def _refuse_running_ray() -> None:
    """A Ray that this process has started lets others in, and would be shut down at the end."""
    running = sys.modules.get("ray")
    if running is not None and running.is_initialized():
        raise InputError("this process is connected to a Ray already: call ray.shutdown() first, or give its address")


@contextmanager
def _private(cpus: int, gpus: int, worker_env: Mapping[str, str]) -> Iterator[None]:
    """A Ray that nobody else can connect to.

    Ray opens its own folder to every user of the machine, sockets included, so that lies in one that only we can enter.
    """
    with private_access():
        import ray  # here, because importing it reads the environment

        scratch = tempfile.mkdtemp(prefix="gx-", dir=os.environ.get("RAY_TMPDIR"))  # short: see Ray's socket paths
        try:
            ray.init(
                address="local",
                num_cpus=cpus,
                num_gpus=gpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=f"{scratch}/ray",
                runtime_env={"env_vars": dict(worker_env)} if worker_env else None,
            )
        except Exception as error:  # Ray raises a bare Exception where one of its processes did not start in time
            raise InputError(f"cannot start Ray on this machine: {error} (its logs are in {scratch})") from error
        try:
            yield
        finally:
            with no_process_left():
                ray.shutdown()
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _joined(address: str, *, open_cluster: bool) -> Iterator[None]:
    """The cluster at `address`."""
    if address.startswith("ray://"):
        raise InputError(
            f"{address} is the address of a Ray Client server, which Ray Tune does not support: run greenexp on a node "
            "of the cluster, with the address of its head such as 10.0.0.1:6379, or hand it in with `ray job submit`"
        )
    with cluster_access(address, open_cluster=open_cluster):
        import ray

        if address == "auto":
            address = _found_cluster()
        _check_answer(address, open_cluster=open_cluster)
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": dict(WORKER_ENV)},
            )
        except Exception as error:
            raise InputError(
                f"cannot connect to the Ray cluster at {address}: {error} (this machine must be one of its nodes: "
                f"`ray start --address={address}` makes it one)"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()


def _found_cluster() -> str:
    """The address of the cluster that Ray finds on this machine; asked before Ray tries for minutes to reach it."""
    services = import_module("ray._private.services")
    try:
        found: str = services.canonicalize_bootstrap_address("auto")
    except (ConnectionError, ValueError) as error:
        raise InputError(
            "no Ray cluster runs on this machine: give the address of one, such as 10.0.0.1:6379"
        ) from error
    return found


def _check_answer(address: str, *, open_cluster: bool) -> None:
    """InputError if nothing answers as a Ray cluster would, or if it lets everybody in and the user has not said so."""
    answer = answer_of(address)
    if answer is AnswerWithoutToken.NONE:
        raise InputError(
            f"the Ray cluster at {address} does not answer: something else may listen there, it hangs, "
            "or one side uses TLS (RAY_USE_TLS) and the other does not"
        )
    if not open_cluster:
        refuse_open_cluster(address, answer)


def _gpus_here(gpus: float) -> int:
    """GPUs to announce to a private Ray: as many whole ones as the trials share. InputError if there are fewer."""
    needed, there = math.ceil(gpus), len(visible_gpus())
    if needed > there:
        raise InputError(
            f"resources: the trials running at a time need {needed} GPU(s) and this machine shows {there}; lower "
            "resources.workers or resources.gpus_per_trial"
        )
    return needed
