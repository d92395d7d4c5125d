"""What a trial costs when training costs nothing: `python benchmarks/orchestration.py [--trials 5000] [--reports 3]`.

Stub trials that report at once and train nothing run under greenexp's session (conductor, journal, schedulers; without
MLflow, and with it following) and under plain Ray Tune with reused workers, without and with MLflow's callback, each in
a process of its own, two at a time. Printed: wall clock per trial from the first start to the last report, CPU of the
driver per trial, growth of the driver's memory per trial, and milliseconds of our own work per report.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WAYS = ("tune", "tune+mlflow", "greenexp", "greenexp+mlflow")
SWEEP = """\
name: orchestration
task: {{name: clauses, train: 64, dev: 32, test: 32}}
backbone: {{name: bert, layers: 1, hidden: 16, heads: 1}}
training: {{epochs: {reports}, max_length: 16}}
space: {{training.learning_rate: {{dist: loguniform, low: 1e-5, high: 1e-3}}}}
search: {{name: random, samples: {trials}}}
scheduler: {{name: fifo}}
resources: {{workers: 2}}
"""


def main() -> None:
    """Run each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--reports", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--profile", type=Path, help="write cProfile's statistics of greenexp's session here")
    given = parser.parse_args()
    if given.only:
        print("RESULT " + json.dumps(measure(given.only, given.trials, given.reports, given.profile)))
        return
    print(f"{given.trials} trials x {given.reports} reports, two at a time")
    print(f"{'way':18}{'wall per trial':>16}{'driver CPU':>14}{'memory':>14}{'own work per report':>22}")
    for way in given.ways:
        print_row(way, in_a_process(way, given.trials, given.reports))


def in_a_process(way: str, trials: int, reports: int) -> dict[str, Any]:
    """What `measure` returns in a fresh process."""
    command = [sys.executable, __file__, "--only", way, "--trials", str(trials), "--reports", str(reports)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise SystemExit(f"{way} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    return found


def print_row(way: str, found: dict[str, Any]) -> None:
    """One line of the table."""
    own = found.get("own_ms")
    cells = (f"{found['wall_ms']:.1f} ms", f"{found['cpu_ms']:.1f} ms", f"{found['memory_kb']:.0f} KB")
    print(
        f"{way:18}{cells[0]:>16}{cells[1]:>14}{cells[2]:>14}{'-' if own is None else f'{own:.2f} ms':>22}", flush=True
    )


def measure(way: str, trials: int, reports: int, profile: Path | None) -> dict[str, Any]:
    """One way; times and memory from when Ray is up."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".orchestration-") as folder:
        if way.startswith("greenexp"):
            return ours(Path(folder), trials, reports, mlflow=way.endswith("mlflow"), profile=profile)
        return plain(Path(folder), trials, reports, mlflow=way.endswith("mlflow"))


class Meter:
    """CPU and memory of this process from now on."""

    def __init__(self) -> None:
        self.memory_b, self.cpu_s = resident_b(), time.process_time()

    def row(self, wall_s: float, trials: int) -> dict[str, Any]:
        """Per trial."""
        return {
            "wall_ms": 1e3 * wall_s / trials,
            "cpu_ms": 1e3 * (time.process_time() - self.cpu_s) / trials,
            "memory_kb": (resident_b() - self.memory_b) / 1e3 / trials,
        }


def resident_b() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def ours(folder: Path, trials: int, reports: int, *, mlflow: bool, profile: Path | None) -> dict[str, Any]:
    """A session of greenexp with workers that train nothing."""
    from greenexp.journal.file import NAME, read_events
    from greenexp.plan import make_plan
    from greenexp.spec import load_sweep, resolved
    from greenexp.tuning.cluster import ray_cluster, set_environment
    from greenexp.tuning.conductor import Conductor
    from greenexp.tuning.opening import open_sweep

    set_environment()
    plan = make_plan(load_sweep(SWEEP.format(trials=trials, reports=reports), source="orchestration"))
    sweep = open_sweep(plan, resolved(plan.spec), folder)
    conductor = Conductor(sweep.journal, sweep.state, sweep.scheduler, limits=plan.spec.budget.limits(), workers=2)
    with ray_cluster(workers=2, cpus_per_trial=1, gpus_per_trial=0):
        from orchestration_stub import StubWorker

        from greenexp.records.sections import Accounting
        from greenexp.tuning.bridge import TuneSession
        from greenexp.tuning.fitting import fit
        from greenexp.tuning.results import SharedResults
        from greenexp.tuning.worker import WorkerSettings

        tracker = start_tracker(folder) if mlflow else None
        own = timed(conductor, "report", "next_trial", "started")
        session = TuneSession(conductor)
        settings = WorkerSettings(SharedResults(folder), {}, 1, 0, True, Accounting())
        conductor.begin({})
        sweep.journal.forget()  # as a session does
        meter = Meter()
        with profiled(profile):
            fit(session, settings, plan, folder / "ray", worker=StubWorker)
        ended = meter.row(0.0, trials)
        events = [event for event in read_events(folder / NAME) if event.kind in {"started", "report"}]
        row = {**ended, "wall_ms": 1e3 * (events[-1].time - events[0].time) / trials}
        if tracker is not None:
            tracker.stop(600)
    conductor.close()
    done = sum(event.kind == "report" for event in events)
    if done != trials * reports:
        raise SystemExit(f"{done} reports of {trials * reports}")
    return {**row, "own_ms": 1e3 * sum(own) / done}


def start_tracker(folder: Path) -> Any:
    """MLflow in the folder, following."""
    from greenexp.tracking.server import default_uri, prepare
    from greenexp.tracking.writer import Tracker

    prepare(default_uri(folder), "orchestration")
    tracker = Tracker(folder, default_uri(folder), "orchestration")
    tracker.start()
    return tracker


def timed(owner: Any, *names: str) -> list[float]:
    """Seconds of each call of some methods, filled in as they are called."""
    took: list[float] = []
    for name in names:
        method = getattr(owner, name)

        def call(*arguments: Any, method: Any = method) -> Any:
            began = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                took.append(time.perf_counter() - began)

        setattr(owner, name, call)
    return took


class profiled:  # noqa: N801 - a context manager
    """cProfile into a file, or nothing."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def __enter__(self) -> None:
        import cProfile

        self.profile = cProfile.Profile()
        if self.path is not None:
            self.profile.enable()

    def __exit__(self, *_: object) -> None:
        if self.path is not None:
            self.profile.disable()
            self.profile.dump_stats(self.path)


def plain(folder: Path, trials: int, reports: int, *, mlflow: bool) -> dict[str, Any]:
    """Ray Tune as its documentation has it, with reused workers."""
    os.environ.update(TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_AIR_NEW_OUTPUT="0", RAY_USAGE_STATS_ENABLED="0")
    import logging

    import ray
    from orchestration_stub import PlainTrainable
    from ray import tune

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    callbacks: list[Any] = []
    if mlflow:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        uri = f"sqlite:///{folder}/mlflow.db"
        callbacks = [MLflowLoggerCallback(tracking_uri=uri, experiment_name="plain")]
    meter, began = Meter(), time.monotonic()
    tune.Tuner(
        tune.with_resources(PlainTrainable, {"cpu": 1}),
        param_space={"lr": tune.loguniform(1e-5, 1e-3)},
        tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True),
        run_config=tune.RunConfig(
            storage_path=str(folder), stop={"training_iteration": reports}, verbose=0, callbacks=callbacks
        ),
    ).fit()
    return meter.row(time.monotonic() - began, trials)


if __name__ == "__main__":
    main()
