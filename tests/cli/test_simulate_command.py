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
    assert out.splitlines()[0].startswith("ASHA with 9 units begun")
    rows = [
        line.split()[:2]
        for line in out.splitlines()
        if line.split()[:1] in (["fifo"], ["sha"], ["asha"], ["hyperband"])
    ]
    assert rows == [[name, number] for number in ("9", "18") for name in ("fifo", "asha", "hyperband", "sha")]
    assert "sha: of 18 units begun, 18 units judged after 1 and 3 of 9 parts." in err


def test_json_has_every_number_and_what_was_assumed(command: Command, curves: Path) -> None:
    code, out, _ = command(
        curves, "--configuration", "model", "--schedulers", "fifo,seed_racing", "--trials", 8, "--repeats", 30, "--json"
    )
    assert code == 0
    given = json.loads(out)
    assert [row["scheduler"] for row in given["searches"]] == ["fifo", "seed_racing"]
    assert given["searches"][0]["saved"] == 0
    assert given["searches"][1]["share_of_full"] == 0.75
    assert {"budget", "expected_best", "error", "reported"} <= set(given["best_so_far"][0])
    assert any("configuration with 2 seeds" in text for text in given["notes"])
    assert [row["first_seeds"] for row in given["settings"]] == [None, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--schedulers", "shaa"), "did you mean 'sha'"),
        (("--schedulers", "seed_racing"), "seed_racing needs the same number of seeds"),
        (("--score", "scor"), "no column 'scor' (did you mean 'score'?)"),
        (("--run", "model"), "two points at the same resource"),
        (("--trials", "2"), "sha can stop no trial"),
        (("--trials", "2", "--schedulers", "sha"), "sha can stop no trial"),
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
    assert command(folder, "--score", "x")[2].startswith("error: score: only for a table")


def test_a_sweep_with_stopped_trials_is_refused(command: Command, tmp_path: Path) -> None:
    code, _, err = command(played(tmp_path / "stopped", "sha"))
    assert code == 2
    assert "were stopped early" in err
    assert "(scheduler fifo)" in err


def test_fronts_over_a_column_of_costs(command: Command, curves: Path) -> None:
    code, out, err = command(
        curves, "--objectives", "score,seconds", "--schedulers", "fifo,mo_halving", "--trials", 9, "--repeats", 20,
        "--json",
    )  # fmt: skip
    assert code == 0, err
    given = json.loads(out)
    assert [row["scheduler"] for row in given["fronts"]] == ["fifo", "mo_halving"]
    assert given["fronts"][0]["saved"] == 0
    assert {"unit", "score", "seconds", "fifo", "mo_halving"} == set(given["front"][0])
    assert {row["finished"] for row in given["front_so_far"]} <= {part / 20 for part in range(21)}
    code, _, err = command(curves, "--schedulers", "mo_halving", "--repeats", 2)
    assert code == 2
    assert "mo_halving" in err
    code, _, err = command(curves, "--objectives", "second", "--repeats", 2)
    assert code == 2
    assert "did you mean 'seconds'" in err
