"""What a user gets wrong: one clear message, exit code 2, no traceback, nothing started."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from sweeps_for_tests import TINY, write_sweep
from told import tells

from greenexp.cli.main import main
from greenexp.methods import METHODS


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert leaving.value.code == 2
    assert "Traceback" not in printed.err
    return printed.err


def test_all_problems_at_once_with_their_places(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (
        TINY.replace("epochs: 4", "epoch: 4").replace("name: sha", "name: shah").replace("workers: 2", "workers: two")
    )
    text = text.replace("layers: 2", "layers: 2, hiden: 3")
    path = write_sweep(tmp_path, text)
    lines = refused(capsys, "run", path, "--out", tmp_path / "out").splitlines()
    assert len(lines) == 4
    for line, (place, words) in zip(
        lines, [("3:", "hidden"), ("4:", "epochs"), ("8:", "did you mean 'sha'"), ("9:", "workers")], strict=True
    ):
        assert line.startswith(f"{path}:{place}"), line
        assert words in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "smok"], "'smoke'"),
        (["run", "smoke", "--resume", "--fresh"], "exclude"),
        (["run", "smoke", "--set", "training.epoch=3"], "--set"),
        (["run", "smoke", "--set", "training.epochs"], "--set"),
        (["plan", "smoke", "--set", "scheduler.grace_period=9"], "scheduler"),
        (["run", "smoke", "--set", "budget.carbon_g=5"], "needs accounting.carbon_g_per_kwh"),
        (["report", "sqlite:////nowhere/at/all.db"], "nowhere"),
        (["ls", "tasksss"], "'tasks'"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_one_mistake(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                     arguments: list[str], words: str) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_resuming_nothing_and_running_twice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    assert "nothing to resume" in refused(capsys, "run", path, "--out", tmp_path / "out", "--resume")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "journal.jsonl").write_text("", encoding="utf-8")
    err = refused(capsys, "run", path, "--out", tmp_path / "out")
    assert "--resume" in err
    assert "--fresh" in err


def test_a_ray_that_does_not_start_is_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an overloaded machine Ray gives up with a bare Exception."""
    import ray

    def init(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    err = refused(capsys, "run", write_sweep(tmp_path), "--out", tmp_path / "out")
    assert tells(err, "Ray … The current node timed out during startup.")


def test_a_warning_is_one_line_and_a_reconstruction_is_noted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always")
    path = write_sweep(tmp_path)
    with pytest.raises(SystemExit):
        main(["plan", str(path), "--set", "method={name: leebert, parametrisation: raw}"])
    lines = [line for line in capsys.readouterr().err.splitlines() if "raw" in line]
    assert lines
    assert all(line.startswith("warning: loss weights: ") for line in lines)
    with pytest.raises(SystemExit):
        main(["plan", str(path), "--set", "method={name: ensemble}"])
    noted = [line for line in capsys.readouterr().out.splitlines() if "the method ensemble is a reconstruction" in line]
    assert len(noted) == 1
    assert "of Sun et al. 2021" in noted[0]


def test_plan_says_which_limits_the_sweep_may_reach(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    changes = ["--set", "budget={epochs: 31, trials: 8}"]
    with pytest.raises(SystemExit):
        main(["plan", str(path), *changes])
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note") and "budget." in line]
    assert len(notes) == 1
    assert "budget.epochs is 31, and all trials take up to 32: the sweep may end there" in notes[0]
    with pytest.raises(SystemExit):
        main(["plan", str(path), *changes, "--json"])
    assert json.loads(capsys.readouterr().out)["over_budget"] == ["epochs"]


def test_what_drives_the_note_is_the_class_and_not_the_text_of_its_card(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = METHODS["pabee"].__doc__
    monkeypatch.setattr(METHODS["pabee"], "__doc__", f"A reconstruction of nothing. {card}")
    with pytest.raises(SystemExit):
        main(["plan", str(write_sweep(tmp_path)), "--set", "method={name: pabee}"])
    assert "reconstruction" not in capsys.readouterr().out


def test_plan_prints_the_price_and_every_trial(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    with pytest.raises(SystemExit) as leaving:
        main(["plan", str(path), "--json"])
    assert leaving.value.code == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["trials"]) == 8
    assert plan["price"]["epochs"]["most"] == 32
    assert plan["price"]["train_flops"]["most"] > 0
    assert plan["price"]["energy_j"]["most"] is None
    with pytest.raises(SystemExit):
        main(["run", str(path), "--dry-run", "--out", str(tmp_path / "out")])
    assert "8 trials" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
