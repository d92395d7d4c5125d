"""A sweep whose seeds are trained as one model, through the real command line and Ray: a rung, and a dead worker."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sweeps_for_tests import TINY, count, events, signal_workers, started, wait_for, write_sweep

from greenexp.plan import make_plan
from greenexp.plan.data import prepare_data
from greenexp.spec import load_sweep
from greenexp.training import TrialRun

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

FUSED = (
    TINY.replace("workers: 2", "workers: 1, fuse_seeds: true")
    .replace("samples: 4", "samples: 2")
    .replace("initialisation: 2", "initialisation: 2, order: 2")
    .replace("max_length: 32", "max_length: 32, precision: fp32")
    + "tracking: {enabled: false}\n"
)


def test_each_seed_is_a_trial_with_its_own_numbers(tmp_path: Path) -> None:
    path, out = write_sweep(tmp_path, FUSED), tmp_path / "out"
    with started(tmp_path / "log", "run", path, "--out", out) as process:
        wait_for(process, lambda: count(out, "report") > 0)
        signal_workers(process, signal.SIGKILL, most=1)
        assert process.wait(240) == 0, (tmp_path / "log").read_text()
    found = events(out)
    reports = [event for event in found if event["kind"] == "report"]
    interrupted = [event for event in found if event["kind"] == "ended" and event["status"] == "interrupted"]
    assert len(interrupted) == 4, "the seeds of the worker that was killed"
    assert found[-1]["status"] == "finished"
    assert all(event["record"]["computed_with"]["fused_seeds"] == "4" for event in reports)
    plan = make_plan(load_sweep(path))
    last = max(reports, key=lambda event: (event["record"]["epoch"], event["trial"]))
    (spec,) = (trial for trial in plan.trials if trial.trial == last["trial"])
    with TrialRun(spec, prepare_data(spec.settings)) as alone:
        expected = list(alone)[-1]
    assert last["record"]["epoch"] == expected.epoch == 4
    assert last["record"]["train_loss"] == pytest.approx(expected.train_loss, abs=1e-5)
    assert last["record"]["score"] == pytest.approx(expected.score, abs=1e-5)
    assert last["record"]["costs"]["train_flops"] == expected.costs.train_flops
