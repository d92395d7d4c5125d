"""Draw the picture of a running sweep in a terminal that docs/watching.md shows, from a recorded one.

greenexp run smoke --out out/smoke
python docs/figures/terminal_picture.py out/smoke --trials 8
"""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from rich.console import CONSOLE_SVG_FORMAT, Console

from greenexp.cli.sweeps.view import SweepView, ended_at, ended_line
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.sources.status import sweep_status

PICTURE = Path(__file__).parent / "terminal.svg"
WIDTH, HEIGHT = 96, 24
SINCE_S = 1.4
"""Seconds between the last event and the picture."""


def moment(folder: Path, ended: int) -> SweepState:
    """The sweep when that many of its trials had ended, and others were running."""
    state = SweepState()
    for event in read_events(folder / NAME):
        state.apply(event)
        running = sum(trial.status == "running" and bool(trial.records) for trial in state.trials.values())
        if sum(trial.ended for trial in state.trials.values()) >= ended and running > 1:
            break
    return state


def drawn(state: SweepState) -> str:
    """The picture as SVG, which loads nothing from elsewhere."""
    where = sweep_status(state, Path())
    console = Console(
        record=True, width=WIDTH, height=HEIGHT, force_terminal=True, highlight=False, file=io.StringIO(),
        _environ={"TERM": "xterm-256color"}, color_system="truecolor",
    )  # fmt: skip
    for trial in sorted((trial for trial in state.trials.values() if trial.ended), key=ended_at):
        console.print(ended_line(trial, names=list(state.trials), best=trial is state.best))
    console.print(SweepView(state, where, (where.last_event or 0.0) + SINCE_S))
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}\n?", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="greenexp run smoke", code_format=without_fonts, unique_id="terminal")
    return svg.replace("Fira Code, ", "").replace("\xa0", "&#160;")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=8, help="how many have ended")
    given = parser.parse_args()
    PICTURE.write_text(drawn(moment(given.folder, given.trials)) + "\n", encoding="utf-8")
