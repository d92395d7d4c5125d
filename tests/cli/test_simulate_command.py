"""`greenexp simulate` over a table of curves and over a recorded sweep."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stand_ins import Sweep, Workers

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(command: Command) -> Command:
    return functools.partial(command, "simulate")


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    """20 runs of 9 steps; pairs are seeds of a configuration."""
    rng = np.random.default_rng(0)
    path = tmp_path / "curves.csv"
    lines = ["run,model,step,score,seconds"]
    for run in range(20):
        level = rng.random()
        lines += [f"r{run},m{run // 2},{k},{level * k / (k + 2):.4f},{k * (1 + run % 3)}" for k in range(1, 10)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_gives_one_table_per_number_of_trials(command: Command, curves: Path) -> None:
    code, out, err = command(curves, "--cost", "seconds", "--trials", "9,18", "--repeats", 20, "--workers", 2)
    assert code == 0, err
    assert out.count("searches that begin") == 2
    assert [line.split()[0] for line in out.splitlines()[2:6]] == ["fifo", "sha", "asha", "hyperband"]
    assert "best score reported by the time so much was spent" in out
    assert "- sha: of 18 units begun, 18 units judged after 1 and 3 of 9 parts." in out


def test_json_has_every_number_and_what_was_assumed(command: Command, curves: Path) -> None:
    code, out, _ = command(
        curves, "--configuration", "model", "--schedulers", "fifo,seed_racing", "--trials", 8, "--repeats", 30, "--json"
    )
    assert code == 0
    given = json.loads(out)
    assert [row["scheduler"] for row in given["searches"]] == ["fifo", "seed_racing"]
    assert given["searches"][0]["saved"] == 0
    assert given["searches"][1]["share_of_full"] == 0.75
    assert {"budget", "expected_best", "error", "reported"} <= set(given["incumbent"][0])
    assert any("configuration with 2 seeds" in text for text in given["assumptions"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--schedulers", "shaa"), "did you mean 'sha'"),
        (("--schedulers", "seed_racing"), "seed_racing needs the same number of seeds"),
        (("--score", "scor"), "no column 'scor' (did you mean 'score'?)"),
        (("--run", "model"), "two points at the same resource"),
        (("--trials", "2"), "sha can stop nobody"),
        (("--trials", "1.5"), "whole numbers"),
        (("--trials", "99"), "99 cannot be drawn from 20"),
    ],
)
def test_bad_input_is_one_line(command: Command, curves: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = command(curves, *arguments, "--repeats", 2)
    assert code == 2
    assert said in err
    assert out == ""


def played(folder: Path, scheduler: str) -> Path:
    conductor = Sweep(folder).open(configurations=9, scheduler={"name": scheduler})
    Workers(conductor).play()
    conductor.close()
    conductor.journal.close()
    return folder


def test_a_sweep_that_stopped_nobody_is_a_pool(command: Command, tmp_path: Path) -> None:
    folder = played(tmp_path / "full", "fifo")
    code, out, err = command(folder, "--repeats", 10)
    assert code == 0, err
    assert "seed_racing" in out
    assert command(folder, "--score", "x")[2].startswith("error: --score: only for a file")


def test_a_sweep_with_stopped_trials_is_refused(command: Command, tmp_path: Path) -> None:
    code, _, err = command(played(tmp_path / "stopped", "sha"))
    assert code == 2
    assert "were stopped early" in err
    assert "simulation needs a pool of trials that all ran to their end" in err
