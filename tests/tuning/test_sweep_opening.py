"""What may change between two sessions of a sweep, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.api.folders import prepare_folder, put_aside
from greenexp.api.watching import Watcher
from greenexp.errors import InputError, JournalError
from greenexp.journal.file import NAME
from greenexp.plan import configurations, make_plan
from greenexp.spec import load_sweep, resolved
from greenexp.tuning.checkpoints import checkpoint_folder
from greenexp.tuning.opening import OpenSweep, open_sweep

TEXT = """\
name: tiny
task: {name: clauses, train: 64, dev: 32, test: 32}
backbone: {name: bert, layers: 2, hidden: 16, heads: 2}
training: {epochs: 4, max_length: 32}
space: {training.learning_rate: {dist: loguniform, low: 1e-3, high: 1e-2}}
search: {name: random, samples: 4}
seeds: {initialisation: 2}
scheduler: {name: asha, reduction_factor: 2}
"""


def opened(folder: Path, *overrides: str) -> OpenSweep:
    plan = make_plan(load_sweep(TEXT, overrides))
    return open_sweep(plan, resolved(plan.spec), folder)


@pytest.mark.parametrize(
    "override",
    [
        "search.samples=6",
        "budget.wall_s=1h",
        "resources.workers=3",
        "accounting.pue=1.5",
        "seeds.order=2",
        "replay.policies=[voting]",
    ],
)
def test_what_keeps_all_that_is_done_may_change(tmp_path: Path, override: str) -> None:
    first = opened(tmp_path)
    before = {name: trial.spec.fingerprint for name, trial in first.state.trials.items()}
    first.journal.close()
    again = opened(tmp_path, override)
    after = {name: trial.spec.fingerprint for name, trial in again.state.trials.items()}
    again.journal.close()
    assert {name: after[name] for name in before} == before
    third = opened(tmp_path, override)
    lines = len(third.journal.events)
    third.journal.close()
    assert lines == len(again.journal.events), "opening it once more must write nothing"


def test_a_sweep_with_folds_goes_on_with_the_same_ones_alone(tmp_path: Path) -> None:
    first = opened(tmp_path, "seeds.folds=3")
    first.journal.close()
    again = opened(tmp_path, "seeds.folds=3", "search.samples=5")
    again.journal.close()
    kept = {name: trial.spec for name, trial in first.state.trials.items()}
    assert {name: again.state.trials[name].spec for name in kept} == kept
    assert len(again.state.trials) == 5 * 2 * 3
    with pytest.raises(InputError, match=r"30 of 30 trials.*seeds"):
        opened(tmp_path, "seeds.folds=4", "search.samples=5")


def test_another_default_of_a_method_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the same, but a later version fills it in otherwise."""
    opened(tmp_path).journal.close()
    monkeypatch.setitem(configurations._USUAL, "exits.head", {"name": "attention"})
    with pytest.raises(InputError, match=r"exits\.head"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs=5", "training"), ("task.train=80", "task"), ("search.samples=2", "search"),
        ("search.seed=1", "search"), ("scheduler.grace_period=2", "two rules"), ("metric.exit=last", "metric"),
        ("training.patience=2", "training"), ("seeds.folds=2", "seeds"),
    ],
)  # fmt: skip
def test_what_would_make_it_another_sweep_is_refused_and_nothing_written(
    tmp_path: Path, override: str, words: str
) -> None:
    opened(tmp_path).journal.close()
    content = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(InputError, match=words):
        opened(tmp_path, override)
    assert (tmp_path / "journal.jsonl").read_bytes() == content


def test_a_limit_on_trials_that_would_starve_a_synchronous_rung_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wait for ever"):
        opened(tmp_path, "scheduler.name=sha", "budget.trials=3")
    opened(tmp_path / "asha", "budget.trials=3").journal.close()


def test_a_folder_behind_a_link_is_put_aside_and_made_anew(tmp_path: Path) -> None:
    (tmp_path / "disk" / "out").mkdir(parents=True)
    (tmp_path / "disk" / "out" / NAME).write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "out")
    prepare_folder(tmp_path / "link", Watcher(), fresh=True)
    assert (tmp_path / "disk" / "out.old-1" / NAME).read_text() == "old"
    assert list((tmp_path / "link").iterdir()) == []


def test_a_running_sweep_is_not_put_aside(tmp_path: Path) -> None:
    sweep = opened(tmp_path / "out")
    with pytest.raises(InputError, match="another greenexp run"):
        put_aside(tmp_path / "out")
    with pytest.raises(JournalError, match="another greenexp run"):
        opened(tmp_path / "out")
    sweep.journal.close()
    assert put_aside(tmp_path / "out") == (tmp_path / "out.old-1").resolve()


def test_older_checkpoints_go_and_those_still_being_written_stay(tmp_path: Path) -> None:
    from greenexp.tuning.checkpoints import prune_checkpoints

    sweep = opened(tmp_path)
    name = next(iter(sweep.state.trials))
    for epoch in (1, 2):
        (tmp_path / checkpoint_folder(name, epoch)).mkdir(parents=True)
        where = {"trial": name, "attempt": 1, "epoch": epoch, "checkpoint": checkpoint_folder(name, epoch)}
        event = sweep.journal.append("paused", **where)
        sweep.state.apply(event)
        prune_checkpoints(tmp_path, sweep.state, event)
    assert [path.name for path in (tmp_path / "checkpoints" / name).iterdir()] == ["epoch-2"]
    verdict = {"trial": name, "action": "stop", "rung": 3, "value": 0.1, "cutoff": 0.2, "bracket": 0, "reason": ""}
    event = sweep.journal.append("decision", **verdict)
    sweep.state.apply(event)
    sweep.state.trials[name].checkpoint = None  # its pause is not in the journal yet: the worker may be writing
    prune_checkpoints(tmp_path, sweep.state, event)
    assert (tmp_path / "checkpoints" / name).is_dir()
    sweep.journal.close()
