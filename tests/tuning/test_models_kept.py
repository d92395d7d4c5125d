"""Models of configurations that may still be chosen are kept, the others are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stand_ins import EPOCHS, Workers, a_record

from greenexp.records.selection import SeedOutcome, chosen_configuration, configuration_means
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.models import model_folder, prune_models
from greenexp.tuning.run import run_session


def test_only_the_best_whole_configuration_stays(opened: Callable[..., Conductor], tmp_path: Path) -> None:
    conductor = opened(scheduler={"name": "fifo"}, configurations=3)
    for name in conductor.state.trials:
        model_folder(tmp_path, name).mkdir(parents=True)
    kept = lambda: {path.name for path in (tmp_path / "models").iterdir()}  # noqa: E731
    for epoch in range(1, EPOCHS + 1):
        conductor.report("c001-i0-o0", 1, a_record(conductor.state.trials["c001-i0-o0"].spec, epoch))
    prune_models(tmp_path, conductor.state)
    assert len(kept()) == 6, "a seed that ended first must wait for the other seed of its configuration"
    Workers(conductor).play()
    prune_models(tmp_path, conductor.state)
    assert kept() == {"c002-i0-o0", "c002-i1-o0"}
    assert [trial.spec.trial for trial in conductor.state.chosen] == ["c002-i0-o0", "c002-i1-o0"]


def test_models_that_a_killed_driver_left_go_when_the_sweep_is_resumed(
    opened: Callable[..., Conductor], tmp_path: Path
) -> None:
    """It had written that the others have ended, and was killed before it could delete them."""
    conductor = opened(scheduler={"name": "fifo"}, configurations=3)
    Workers(conductor).play()
    for name in conductor.state.trials:
        model_folder(tmp_path, name).mkdir(parents=True)
    over: Any = SimpleNamespace(finished=True, state=conductor.state)
    assert run_session(over, tmp_path, facts={}).status == "finished"
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"c002-i0-o0", "c002-i1-o0"}


def test_the_rule_of_choice() -> None:
    outcomes = [
        SeedOutcome("whole", "finished", 9, 0.8), SeedOutcome("whole", "finished", 9, 0.7),
        SeedOutcome("stopped", "stopped", 3, 0.6), SeedOutcome("stopped", "stopped", 3, 0.5),
        SeedOutcome("apart", "finished", 9, 0.99), SeedOutcome("apart", "stopped", 3, 0.99),
        SeedOutcome("failed", "finished", 9, 0.99), SeedOutcome("failed", "failed", 2, 0.99),
        SeedOutcome("running", "finished", 9, 0.99), SeedOutcome("running", "running", 8, 0.99),
        SeedOutcome("silent", "stopped", 0, None),
    ]  # fmt: skip
    patient = [
        SeedOutcome("ended", "finished", 4, 0.1), SeedOutcome("ended", "finished", 9, 0.3),
        SeedOutcome("before", "finished", 2, 0.1), SeedOutcome("before", "stopped", 3, 0.3),
        SeedOutcome("at", "finished", 3, 0.1), SeedOutcome("at", "stopped", 3, 0.3),
        SeedOutcome("after", "finished", 4, 0.1), SeedOutcome("after", "stopped", 3, 0.3),
    ]  # fmt: skip
    assert configuration_means(patient) == {"ended": 0.2, "before": 0.2, "at": 0.2}
    assert set(configuration_means(outcomes)) == {"whole", "stopped"}
    assert chosen_configuration(outcomes, "max") == "whole"
    assert chosen_configuration(outcomes, "min") == "stopped"
    assert chosen_configuration(outcomes[-1:], "max") is None
    ties = [SeedOutcome("first", "finished", 9, 0.5), SeedOutcome("second", "finished", 9, 0.5)]
    assert chosen_configuration(ties, "max") == chosen_configuration(ties, "min") == "second"
