"""A journal that was edited or damaged never ends in a traceback, whoever reads it.

Drawn from a fixed seed. Edits of valid JSON get checks that fit, so that what is tried is the understanding of events.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from climb import Climb
from edited_journals import checked, lines_of, unchecked
from growing_sweeps import a_plan, session
from small_sweeps import Sweep, standard_events

from greenexp.cli.sweeps.progress import describe
from greenexp.errors import GreenexpError, JournalError
from greenexp.journal.events import Event
from greenexp.journal.file import NAME, read_events
from greenexp.journal.lines import ChainedLines
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of
from greenexp.report import report_sections
from greenexp.searches import SEARCHES
from greenexp.sources.status import sweep_status
from greenexp.spec import resolved
from greenexp.tracking.content import run_content
from greenexp.tracking.tracked_sweep import TrackedSweep
from greenexp.tuning.opening import open_sweep

Line = dict[str, Any]
Draw = random.Random
VALUES: list[Any] = [
    None, True, 0, 1, -1, 0.5, 1e300, 10**40, "", "x", "../..", "bad \udcff", [], [1], {}, {"a": 1},
    "c000", "c001-i0-o0", "finished", "failed", "stop", "pause",
]  # fmt: skip


@pytest.fixture(autouse=True)
def climb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """A sweep whose search learns, broken off once, with a trial that failed."""
    folder = tmp_path_factory.mktemp("learnt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SEARCHES._targets, "climb", Climb)
        session(folder, "search.proposals=4", reports=13)
        session(folder, "search.proposals=4", fail={"c002-i0-o0": 2})
    return lines_of(folder / NAME)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """A sweep with tests on the held-out set and a limit."""
    folder = tmp_path_factory.mktemp("recorded")
    with Sweep(folder) as sweep:
        for _ in standard_events(sweep):
            pass
        sweep.journal.append("replay", policies=["oracle"])
    return lines_of(folder / NAME)


def readers(events: list[Event], folder: Path, *, whole: bool) -> Iterator[Callable[[], object]]:
    """What is made of a journal's events; whole: the report too, which takes longest."""
    yield lambda: sweep_status(SweepState(events), folder)
    yield lambda: [describe(event, state) for state in [SweepState(events)] for event in events]
    yield lambda: (report_sections if whole else id)(tables_of(SweepState(events), folder))
    yield lambda: tracked(events)
    yield lambda: opened(folder)


def opened(folder: Path) -> None:
    plan = a_plan("search.proposals=4")
    open_sweep(plan, resolved(plan.spec), folder).journal.close()


def tracked(events: list[Event]) -> None:
    """What MLflow would be told."""
    sweep = TrackedSweep()
    sweep.take(events)
    sweep.touch_all()
    for key in sweep.dirty:
        run_content(sweep, key)


def is_refused(folder: Path, *, whole: bool = False) -> bool:
    """Whether the lines cannot be read; what can be is given to all that make something of it."""
    try:
        events = list(read_events(folder / NAME))
    except JournalError:
        return True
    for reader in readers(events, folder, whole=whole):
        with suppress(GreenexpError):
            reader()
    return False


def edited(lines: list[Line], draw: Draw) -> list[Line]:
    """One line lost, doubled or moved, or one value in it another one; rare kinds as often as frequent ones."""
    changed = copy.deepcopy(lines)
    kind = draw.choice(sorted({line["kind"] for line in changed}))
    at = draw.choice([at for at, line in enumerate(changed) if line["kind"] == kind])
    how = draw.random()
    if how < 0.1:
        del changed[at]
    elif how < 0.2:
        changed.insert(draw.randrange(len(changed)), changed[at])
    else:
        change_a_value(changed[at], draw)
    return [{**line, "n": number} for number, line in enumerate(changed)]


def change_a_value(inside: Any, draw: Draw) -> None:
    """Go down to a random depth, and lose, add or replace what is there."""
    keys = [key for key in (inside if isinstance(inside, dict) else range(len(inside))) if key != "n"]
    key = draw.choice(keys)
    if isinstance(inside[key], dict | list) and inside[key] and draw.random() < 0.8:
        change_a_value(inside[key], draw)
    elif draw.random() < 0.2:
        del inside[key]
    elif draw.random() < 0.1 and isinstance(inside, dict):
        inside["added"] = draw.choice(VALUES)
    else:
        inside[key] = draw.choice(VALUES)


@pytest.mark.parametrize("seed", range(6))
def test_an_edited_journal_is_read_or_refused(
    seed: int, learnt: list[Line], recorded: list[Line], tmp_path: Path
) -> None:
    draw = random.Random(seed)
    refused = []
    for number in range(40):
        lines = edited(draw.choice([learnt, recorded]), draw)
        (tmp_path / NAME).write_bytes(checked(lines))
        refused.append(is_refused(tmp_path, whole=number % 20 == 0))
    assert len(set(refused)) == 2, "some of these journals can be read"


def test_a_flipped_byte_is_found_before_anything_is_made_of_it(learnt: list[Line]) -> None:
    draw, content = random.Random(0), checked(learnt)
    for _ in range(300):
        place = draw.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= draw.randrange(1, 256)
        line = content.count(b"\n", 0, place) + 1
        with pytest.raises(JournalError, match=rf"^journal\.jsonl:{line}: "):
            list(ChainedLines(NAME).read(bytes(changed).splitlines(keepends=True)))


def test_a_flipped_byte_of_an_unchecked_journal_is_read_or_refused(learnt: list[Line], tmp_path: Path) -> None:
    draw, content = random.Random(1), unchecked(learnt)
    for _ in range(30):
        changed = bytearray(content)
        changed[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        (tmp_path / NAME).write_bytes(bytes(changed))
        is_refused(tmp_path)
