"""`greenexp status --watch`: looks until the sweep has ended, and leaves quietly."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from told import tells
from watched_sweeps import BEGAN, WatchedSweep, a_console

from greenexp.cli.sweeps.watching import watch_sweep

NewSweep = Callable[..., WatchedSweep]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sweep(new_sweep: NewSweep, tmp_path: Path) -> WatchedSweep:
    (tmp_path / "s").mkdir()
    return new_sweep(tmp_path / "s", trials=4)


def steps(*acts: Callable[[], object]) -> Callable[[float], None]:
    """In the place of sleeping: one act after another; then Ctrl-C."""
    left = list(acts)

    def sleep(_seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    return sleep


def test_on_a_pipe_it_prints_what_has_changed_and_ends_with_the_sweep(
    sweep: WatchedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def finish() -> None:
        for number in (1, 3):
            sweep.report(number, 9)
        sweep.close()

    console = a_console(80, 24, force_terminal=False)
    status = watch_sweep(
        tmp_path / "s", 1.0, console=console, sleep=steps(sweep.half_way_of_four, lambda: None, finish)
    )
    assert (status.state, status.trials) == ("finished", {"finished": 3, "failed": 1})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3, "nothing is printed twice"
    assert tells(lines[1], "smoke … running or killed … 2/4 trials … left (price: ")
    assert tells(lines[2], "smoke … finished … 4/4 trials")
    assert not any("\x1b" in line for line in lines)


def look(folder: Path, sleep: Callable[[float], None], after_s: float = 20.0) -> str:
    """What a terminal has shown, `after_s` seconds after the sweep began."""
    console = a_console(80, 24)
    watch_sweep(folder, 1.0, console=console, sleep=sleep, clock=lambda: BEGAN + after_s)
    return console.export_text()


def test_on_a_terminal_ended_trials_stay_as_lines(sweep: WatchedSweep, tmp_path: Path) -> None:
    text = look(tmp_path / "s", steps(sweep.half_way_of_four, lambda: sweep.report(1, 9)))
    for name in ("c000-i0-o0", "c001-i0-o0"):
        assert len(re.findall(rf"{name} .*9/9 epochs  finished", text)) == 1
    assert tells(text, "c002-i0-o0 … failed … out of memory")


def test_ctrl_c_leaves_quietly_with_the_last_status(sweep: WatchedSweep, tmp_path: Path) -> None:
    sweep.begin()
    status = watch_sweep(tmp_path / "s", 1.0, console=a_console(80, 24), sleep=steps())
    assert status.state == "running or killed"


def test_of_a_driver_that_may_be_dead_the_last_word_is_shown(sweep: WatchedSweep, tmp_path: Path) -> None:
    sweep.half_way_of_four()
    text = look(tmp_path / "s", steps(), after_s=7200.0)
    assert tells(text, "1 s of 5m 00s … nothing new for 2h 00m … c001-i0-o0")


def test_of_many_that_had_ended_the_last_are_shown(new_sweep: NewSweep, tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, trials=40)
    sweep.begin()
    for number in range(40):
        sweep.start(number)
        sweep.report(number, 9)
    sweep.close()
    shown = re.findall(r"(c\d+)-i0-o0 .*9/9 epochs", look(tmp_path, steps()))
    assert shown == [f"c{number:03d}" for number in range(32, 40)]


@pytest.mark.parametrize("arguments", [("s", "--watch"), ("--watch", "s"), ("s", "--watch", "0.5"), ("--watch=9", "s")])
def test_the_command_ends_by_itself_where_the_sweep_has(
    command: Command, sweep: WatchedSweep, arguments: tuple[str, ...]
) -> None:
    sweep.half_way_of_four()
    sweep.close("interrupted")
    code, out, err = command("status", *arguments)
    assert code == 1, "a trial failed"
    assert tells(out, "smoke … interrupted … 2/4 trials")
    assert err == ""


@pytest.mark.parametrize(("arguments", "facts"), [
    (("s", "--watch", "soon"), "--watch … 'soon'"),
    (("s", "--watch", "0"), "--watch … 0"),
    (("s", "--watch", "nan"), "--watch … nan"),
    (("s", "--watch", "--json"), "--watch … --json"),
    (("--watch", "nowhere"), "nowhere"),
])  # fmt: skip
def test_what_cannot_be_watched_is_refused(
    command: Command, sweep: WatchedSweep, arguments: tuple[str, ...], facts: str
) -> None:
    code, out, err = command("status", *arguments)
    assert (code, out) == (2, "")
    assert tells(err, facts)


def test_without_watching_the_expected_end_is_said(command: Command, sweep: WatchedSweep) -> None:
    sweep.half_way_of_four()
    assert tells(command("status", "s")[1], "running or killed … expected … left (price: ")
