"""What a learning-to-exit module said travels to MLflow with the logits, and its policy comes back in every table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from small_sweeps import Sweep, trial_spec
from test_mlflow_tables import assert_same_tables

from greenexp.journal.tables import read_tables
from greenexp.records.at_rest import FOLDER
from greenexp.replay import ExitCosts
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.tracking.sync import sync


def logits(folder: Path, seed: int, *, learned: bool) -> str:
    rng = np.random.default_rng(seed)
    costs = ExitCosts([2, 6], [3, 4, 5], [[3, 4, 5], [6, 8, 10]], [[3, 4, 5], [7, 9, 11]])
    values, labels, lengths = rng.normal(size=(2, 30, 3)), rng.integers(0, 3, 30), rng.integers(3, 6, 30)
    said = rng.random((2, 30)) if learned else None
    return write_logits(folder / FOLDER, StoredLogits.of(values, labels, lengths, [1, 3], costs, said))


def test_learned_is_replayed_from_the_journal_and_from_mlflow(uri: str, tmp_path: Path) -> None:
    """Of two trials one has the module: the other has no such points, and everything else."""
    one, other = trial_spec(0, 0), trial_spec(0, 1)
    with Sweep(tmp_path, replay={"policies": [{"name": "learned"}, {"name": "max_probability"}]}) as sweep:
        sweep.session()
        sweep.plan(one, other)
        for number, trial in enumerate((one, other)):
            sweep.start(trial.trial)
            sweep.report(trial.trial, 1, dev_logits=logits(tmp_path, number, learned=trial is one), last=True)
        sweep.journal.append("closed", status="finished")
    points = read_tables(tmp_path).operating_points
    assert len(points[points["policy"] == "learned"]) > 20
    assert set(points.loc[points["policy"] == "learned", "trial"]) == {one.trial}
    assert set(points.loc[points["policy"] == "max_probability", "trial"]) == {one.trial, other.trial}
    sync(tmp_path, uri, "learned")
    assert_same_tables(tmp_path, uri)
