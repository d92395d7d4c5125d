"""A sweep whose trials two processes train each, through the real command line and Ray: one of them is killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sweeps_for_tests import TINY, count, events, signal_workers, started, wait_for, workers_of, write_sweep

from greenexp.plan import make_plan
from greenexp.plan.data import prepare_data
from greenexp.spec import load_sweep
from greenexp.training import TrialRun

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PARALLEL = (
    TINY.replace("workers: 2", "processes_per_trial: 2, cpus_per_trial: 2, checkpoint_every: 0.3 s")
    .replace("samples: 4", "samples: 2")
    .replace("initialisation: 2", "initialisation: 1")
    .replace("scheduler: {name: sha, reduction_factor: 2}\n", "")
    .replace("epochs: 4", "epochs: 3, reports_per_epoch: 2")
    .replace("max_length: 32", "max_length: 32, precision: fp32")
    + "tracking: {enabled: false}\n"
)
COMPANION = b"Companion"


def test_a_process_that_dies_is_a_worker_that_dies(tmp_path: Path) -> None:
    path, out = write_sweep(tmp_path, PARALLEL), tmp_path / "out"
    with started(tmp_path / "log", "run", path, "--out", out) as process:
        wait_for(process, lambda: count(out, "saved") > 0)
        signal_workers(process, signal.SIGKILL, kind=COMPANION)
        assert process.wait(240) == 0, (tmp_path / "log").read_text()
    assert not workers_of(process, COMPANION), "left behind"
    found = events(out)
    (interrupted,) = (event for event in found if event["kind"] == "ended" and event["status"] == "interrupted")
    assert "another process of the trial" in interrupted["reason"]
    assert found[-1]["status"] == "finished"
    (again,) = (event for event in found if event["kind"] == "started" and event["attempt"] > 1)
    assert again["after"] > 0, "from its checkpoint"
    for spec in make_plan(load_sweep(path)).trials:
        with TrialRun(spec, prepare_data(spec.settings)) as alone:
            expected = list(alone)
        reports = [event["record"] for event in found if event["kind"] == "report" and event["trial"] == spec.trial]
        last = {record["epoch"]: record for record in reports}
        for record in expected:
            own = last[record.epoch]
            assert own["computed_with"]["processes"] == "2"
            assert own["train_loss"] == pytest.approx(record.train_loss, abs=1e-6)
            assert own["score"] == pytest.approx(record.score, abs=1e-6)
            assert own["costs"]["train_flops"] == record.costs.train_flops
            assert own["costs"]["cpu_s"] > 0
