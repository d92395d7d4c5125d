"""A line that says that something is being computed, for a terminal alone."""

from __future__ import annotations

import io
import time

import pytest

from greenexp.cli.printing import waiting as module
from greenexp.cli.printing.waiting import waiting


class Terminal(io.StringIO):
    """What stderr is in a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.01)
    monkeypatch.setattr(module, "TICK_S", 0.01)


def fail_once_shown(stream: Terminal) -> None:
    with waiting("comparing groups"):
        deadline = time.monotonic() + 60
        while "comparing groups" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.005)
        raise ValueError("inside")


def test_a_terminal_is_told_and_left_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    with pytest.raises(ValueError, match="inside"):
        fail_once_shown(stream)
    shown = stream.getvalue()
    assert "comparing groups" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""


def test_a_file_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream := io.StringIO())
    with waiting("comparing groups"):
        time.sleep(0.05)
    assert stream.getvalue() == ""
