"""Exit policies that are added to a sweep's record after it has run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState


def add_policies(folder: Path, labels: Sequence[str]) -> None:
    """Add policies, by their labels, to the record of the sweep in `folder`; report and tables show them from then on.

    Raises JournalError if a running sweep holds the journal, or it is damaged: then nothing is written.
    """
    with Journal(folder / NAME) as journal:
        SweepState(journal.events)  # a journal that cannot be understood is not written to
        journal.append("replay", policies=list(labels))
