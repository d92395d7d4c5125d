"""NVIDIA's multi-process service around a session; a program of the tests plays its control program."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest
from told import tells

from greenexp.errors import FieldError
from greenexp.tuning import mps
from greenexp.tuning.mps import CONTROL, LOGS, PIPES, end_service, mps_service

PROGRAM = """#!/bin/sh
if [ "$1" = -d ]; then
    echo "start ${CUDA_VISIBLE_DEVICES-unset} $CUDA_MPS_PIPE_DIRECTORY $CUDA_MPS_LOG_DIRECTORY" >> "$TOLD"
    ls -d "$CUDA_MPS_PIPE_DIRECTORY" > /dev/null || exit 3
    echo "no device" > "$CUDA_MPS_LOG_DIRECTORY/control.log"
    exit ${CODE-0}
fi
read line
echo "$line $CUDA_MPS_PIPE_DIRECTORY" >> "$TOLD"
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which the program writes how it was called."""
    program = tmp_path / "bin" / CONTROL
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return tmp_path / "told"


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_it_runs_from_the_beginning_to_the_end_of_a_session(
    told: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    before = dict(os.environ)
    with contextlib.suppress(ValueError, KeyboardInterrupt), mps_service(wanted=True) as clients:
        folder = Path(clients[PIPES]).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(clients[PIPES]) < 60
        assert told.read_text().splitlines() == [f"start unset {clients[PIPES]} {clients[LOGS]}"]
        assert dict(os.environ) == before, "the driver is no client"
        if error is not None:
            raise error
    assert told.read_text().splitlines()[1:] == [f"quit {clients[PIPES]}"]
    assert not folder.exists()


def test_it_is_ended_where_the_process_will_not_come_to_the_end_of_the_block(told: Path) -> None:
    end_service({})
    assert not told.exists()
    with mps_service(wanted=True) as clients:
        end_service(clients)
        assert told.read_text().splitlines()[1:] == [f"quit {clients[PIPES]}"]
        assert not Path(clients[PIPES]).parent.exists()


def test_nothing_is_started_where_nobody_wants_it(told: Path) -> None:
    with mps_service(wanted=False, address="10.0.0.1:6379") as clients:
        assert clients == {}
    assert not told.exists()


def test_a_program_that_fails_is_told_with_its_last_word(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE", "7")
    with pytest.raises(FieldError) as raised, mps_service(wanted=True):
        pytest.fail("it did not start")
    assert tells(str(raised.value), "resources.mps: … code 7: no device")
    folder = Path(told.read_text().split()[2]).parent
    assert not folder.exists()


def test_it_is_refused_where_it_is_not_ours_to_start(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(address: str | None = None) -> str:
        with pytest.raises(FieldError) as raised, mps_service(wanted=True, address=address):
            pytest.fail("it was started")
        return str(raised.value)

    assert tells(refused("10.0.0.1:6379"), "resources.mps: … cluster … administrator")
    monkeypatch.setattr(mps, "visible_gpus", lambda: ("MIG-1f",))
    assert tells(refused(), "resources.mps: … MIG")
    monkeypatch.setattr(mps, "visible_gpus", lambda: ("0",))
    monkeypatch.setenv("PATH", str(told.parent))
    assert tells(refused(), f"resources.mps: {CONTROL}")
    assert not told.exists()
