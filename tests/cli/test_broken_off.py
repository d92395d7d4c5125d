"""Runs that do not come to their report: a code of their own, and how to go on."""

from __future__ import annotations

import pytest
from told import tells

from greenexp.api import running
from greenexp.cli.main import BROKEN_OFF, INTERRUPTED, main
from greenexp.errors import BrokenOffError
from greenexp.tuning import dead_ray


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BrokenOffError("no space left"), BROKEN_OFF, "no space left … --resume"),
        (KeyboardInterrupt(), INTERRUPTED, "greenexp run smoke --set training.epochs=2 --out 'my out' --resume"),
    ],
)
def test_how_to_go_on_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    def run_sweep(*_: object) -> None:
        raise error

    monkeypatch.setattr(running, "run_sweep", run_sweep)
    with pytest.raises(SystemExit) as ended:
        main(["run", "smoke", "--set", "training.epochs=2", "--out", "my out"])
    assert ended.value.code == code
    assert tells(capsys.readouterr().err, said)


def test_one_code_for_both_ways_in_which_the_machine_ends_a_sweep() -> None:
    assert dead_ray.BROKEN_OFF == BROKEN_OFF
