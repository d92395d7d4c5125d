"""The command line in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from watched_sweeps import WatchedSweep

from greenexp.cli.main import main


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """`command("status", ...) -> (exit code, stdout, stderr)`, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def new_sweep() -> Iterator[Callable[..., WatchedSweep]]:
    """Begins sweeps in progress, as `WatchedSweep` does, and closes their journals at the end."""
    with ExitStack() as opened:
        yield lambda *given, **options: opened.enter_context(WatchedSweep(*given, **options))
