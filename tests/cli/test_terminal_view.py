"""What a terminal shows of a running sweep: facts, in the lines and columns that there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from told import tells
from watched_sweeps import BEGAN, ESCAPES, REASON, WatchedSweep, a_console, drawn

from greenexp.cli.sweeps.progress import LiveProgress, PlainProgress, is_live
from greenexp.cli.sweeps.view import SweepView, ended_line
from greenexp.journal.state import SweepState
from greenexp.sources.status import sweep_status

NewSweep = Callable[..., WatchedSweep]
SIZES = [(80, 24), (200, 60), (100, 12)]


def view(state: SweepState, since_s: float = 0.0, **options: bool) -> SweepView:
    where = sweep_status(state, Path())
    return SweepView(state, where, (where.last_event or BEGAN) + since_s, **options)


@pytest.fixture
def sweep(new_sweep: NewSweep, tmp_path: Path) -> WatchedSweep:
    return new_sweep(tmp_path)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("running", [1, 40])
def test_it_fits_and_names_what_runs(
    new_sweep: NewSweep, tmp_path: Path, width: int, height: int, running: int
) -> None:
    sweep = new_sweep(tmp_path, trials=50)
    sweep.half_way(running)
    lines = drawn(view(sweep.state), width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    best = sweep.state.best
    assert best is not None
    facts = f"smoke … 3/50 trials … 1 stopped early … 1 failed … best {best.score:.4f} ({best.spec.trial})"
    assert tells(" ".join(text.split()), facts)
    assert re.search(r"^c003-i0-o0 +3/9 +0\.5800 +0\.5800 +0\.5000 +\d+ s", text, re.MULTILINE)
    shown = len(re.findall(r"^c\d", text, re.MULTILINE))
    hidden = re.search(r"and (\d+) more", text)
    assert shown + (int(hidden[1]) if hidden else 0) == running


def test_a_wide_terminal_shows_searched_values_too(sweep: WatchedSweep) -> None:
    sweep.half_way()
    narrow, wide = ("\n".join(drawn(view(sweep.state), width, 60)) for width in (80, 200))
    assert "learning_rate" in wide
    assert "0.004" in wide
    assert "learning_rate" not in narrow


def test_bars_have_their_numbers_beside_them(sweep: WatchedSweep) -> None:
    sweep.half_way()
    lines = {line.split()[0]: line for line in drawn(view(sweep.state, since_s=2.0), 80, 24) if line}
    assert tells(lines["epochs"], "12 % … 12 of 100")
    assert tells(lines["wall_s"], "5 % … 14 s of 5m 00s")
    assert tells(lines["train_flops"], "24 % … 12 GFLOP of 50 GFLOP … reserved")
    assert tells(lines["progress"], "% … 14 s, at most … left (budget)"), "the budget in FLOPs ends it first"


def test_the_expected_end_is_that_of_the_price_or_of_the_rate(new_sweep: NewSweep, tmp_path: Path) -> None:
    for price, facts in ((True, "about … left (price: … to "), (False, "about … left (at this rate)")):
        folder = tmp_path / str(price)
        folder.mkdir()
        sweep = new_sweep(folder, price=price, wall_s=9e9)
        sweep.half_way()
        assert tells("\n".join(drawn(view(sweep.state), 200, 60)), f"progress … {facts}")
        assert "later than expected" in "\n".join(drawn(view(sweep.state, since_s=1e6), 80, 24))


def test_a_budget_that_is_used_up_says_so_in_words(new_sweep: NewSweep, tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, epochs=12)
    sweep.half_way()
    assert "used up" in "\n".join(drawn(view(sweep.state), 80, 24))


def test_without_a_driver_nothing_is_shown_to_run_and_no_time_passes(sweep: WatchedSweep) -> None:
    sweep.half_way()
    text = "\n".join(drawn(view(sweep.state, since_s=1000.0, live=False), 80, 24))
    assert "c003-i0-o0" not in text
    assert "12 s of 5m 00s" in text
    assert "left" not in text


@pytest.mark.parametrize(("number", "facts"), [
    (0, "c000-i0-o0 … 0.5900 … 9/9 epochs … finished … best so far"),
    (1, "c001-i0-o0 … 0.5300 … 1/9 epochs … stopped"),
    (2, "c002-i0-o0 … - … 0/9 epochs … failed … out of memory"),
])  # fmt: skip
@pytest.mark.parametrize("width", [80, 200])
def test_a_trial_that_has_ended_has_a_line_with_score_epochs_and_why(
    sweep: WatchedSweep, number: int, facts: str, width: int
) -> None:
    sweep.half_way()
    trial = sweep.state.trials[sweep.trials[number].trial]
    lines = drawn(ended_line(trial, names=list(sweep.state.trials), best=number == 0), width, 24)
    assert tells(lines[0], facts)
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert trial.reason in words, "no word of it is cut or broken"


def test_a_trial_that_never_began_was_given_up(sweep: WatchedSweep) -> None:
    sweep.begin()
    sweep.stop(5, 0)
    assert tells(drawn(ended_line(sweep.state.trials["c005-i0-o0"]), 80, 24)[0], "c005-i0-o0 … - … given up")


@pytest.fixture
def shown(sweep: WatchedSweep) -> Iterator[tuple[WatchedSweep, LiveProgress, Console]]:
    """A sweep, its live progress, and the terminal it is on."""
    console = a_console(80, 24)
    progress = LiveProgress(sweep.state, console, clock=lambda: BEGAN + 20.0)
    sweep.listen = progress.show
    progress._live.auto_refresh = False  # the test says when
    with progress:
        yield sweep, progress, console


def last(progress: LiveProgress) -> str:
    progress._due = 0.0  # a slow machine would draw the picture before once more
    return "\n".join(drawn(progress._draw(), 80, 24))


def test_it_says_what_it_waits_for_until_the_end(shown: tuple[WatchedSweep, LiveProgress, Console]) -> None:
    sweep, progress, _ = shown
    assert "starting Ray" in last(progress)
    sweep.begin()
    assert "starting workers" in last(progress)
    sweep.start(0)
    assert "starting" not in last(progress)
    progress.say("ending after the running epochs")
    assert "ending after the running epochs" in last(progress)
    progress.__exit__(None, None, None)
    assert "ending" not in last(progress)


def test_each_ended_trial_and_limit_stays_once(shown: tuple[WatchedSweep, LiveProgress, Console]) -> None:
    sweep, progress, console = shown
    sweep.half_way()
    sweep.append("limit", axis="epochs", used=100.0, limit=100.0)
    progress.__exit__(None, None, None)
    text = console.export_text()
    for name, word in (("c000-i0-o0", "finished"), ("c001-i0-o0", "stopped"), ("c002-i0-o0", "failed")):
        assert len(re.findall(rf"{name} .* epochs  {word}", text)) == 1
    assert "limit reached: epochs 100 of 100" in text


def test_trials_that_had_ended_before_are_not_told_again(new_sweep: NewSweep, tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path)
    sweep.half_way()
    console = a_console(80, 24)
    progress = LiveProgress(sweep.state, console)
    sweep.listen = progress.show
    sweep.append("session", number=2)
    sweep.stop(4, 2)
    assert re.findall(r"^(c\d+)\S* .*(?:finished|stopped|failed)", console.export_text(), re.MULTILINE) == ["c004"]


def test_a_trial_that_is_added_while_it_draws_leaves_the_picture_before(
    shown: tuple[WatchedSweep, LiveProgress, Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, progress, _ = shown
    sweep.half_way()
    before = last(progress)

    def grown(*_: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr("greenexp.cli.sweeps.progress.sweep_status", grown)
    sweep.report(3, 3)
    assert before.splitlines()[0] == last(progress).splitlines()[0]


def test_without_colours_the_words_are_the_same(sweep: WatchedSweep) -> None:
    sweep.half_way()
    texts = []
    for environ in ({"TERM": "xterm-256color"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}):
        console = Console(width=80, height=24, force_terminal=True, highlight=False, _environ=environ)
        with console.capture() as captured:
            for trial in sweep.state.trials.values():
                console.print(ended_line(trial))
            console.print(view(sweep.state))
        texts.append(captured.get())
    coloured, plain = texts
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", coloured)
    assert not re.search(r"\x1b\[[0-9;]*(?:3|9)[0-9]", plain), "bold may stay"
    without_bars = [re.sub(r"[━╸╺]+", "", ESCAPES.sub("", text)) for text in texts]
    assert [line.split() for line in without_bars[0].splitlines()] == [
        line.split() for line in without_bars[1].splitlines()
    ]


@pytest.mark.parametrize(("terminal", "environ", "live"), [
    (True, {"TERM": "xterm"}, True), (True, {"TERM": "dumb"}, False), (False, {"TERM": "xterm"}, False),
])  # fmt: skip
def test_only_a_terminal_that_can_be_drawn_on_is(terminal: bool, environ: dict[str, str], live: bool) -> None:
    assert is_live(Console(force_terminal=terminal, _environ=environ)) is live


def test_elsewhere_a_line_per_event_is_printed(sweep: WatchedSweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.listen = PlainProgress(sweep.state).show
    sweep.half_way()
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert tells(printed, "c000-i0-o0  epoch 1/9 … c000-i0-o0  epoch 9/9 … finished … c001-i0-o0  stopped at epoch 1")
    assert tells(printed, f"{REASON} … c002-i0-o0  failed: out of memory")
