"""The commands of README.md about the sweep `smoke`, run in their order in one folder as a newcomer would."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from greenexp.journal.tables import read_tables as from_journal
from greenexp.tracking.reader import read_tables as from_mlflow
from greenexp.tracking.server import default_uri

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line[2:]) for line in re.findall(r"^\$ greenexp .*$", README, re.MULTILINE)]
# What a reader has to bring, a server without an end, and a second start of a sweep that is there already.
NOT_HERE = ("runs.csv", "curves.csv", "serve", "weights.yaml", "--address")


def newcomers_commands() -> list[list[str]]:
    """Each command once, in order."""
    wanted = [words for words in COMMANDS if not set(words) & set(NOT_HERE)]
    return [list(words) for words in dict.fromkeys(map(tuple, wanted))]


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_work_in_their_order(tmp_path: Path) -> None:
    blocks = re.findall(r"^`sentences\.jsonl`.*?```json\n(.*?)```|^example:\n\n```json\n(.*?)```", README, re.M | re.S)
    (tmp_path / "sentences.jsonl").write_text("".join(blocks[0]), encoding="utf-8")
    for words in newcomers_commands():
        done = python(["-m", *words], tmp_path)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
        if words == ["greenexp", "run", "smoke"]:
            assert_the_smoke_sweep_is_whole(tmp_path / "out" / "smoke")
    assert (tmp_path / "out" / "smoke" / "report.html").is_file()
    (block,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    done = python(["-W", "error", "-c", block], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("finished c")


def python(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def assert_the_smoke_sweep_is_whole(out: Path) -> None:
    """What it trained, what lies in its folder, and that MLflow has all of it."""
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "lower bound" in page, "a sweep with early stopping must label its curve"
    journal, mlflow = from_journal(out), from_mlflow(default_uri(out))
    assert journal.history.complete
    assert len(journal.trials) == 12
    assert (journal.trials["status"] == "stopped").any()
    for name, frame in journal.frames.items():
        pd.testing.assert_frame_equal(mlflow.frames[name], frame, obj=name)
    assert not (out / "checkpoints").exists(), "a finished sweep needs no checkpoints"
    assert not (out / "ray").exists()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (out, out / "journal.jsonl", out / "mlflow.db")]
    assert modes == [0o700, 0o600, 0o600], "others must not read it"
    logged = list((out / "mlartifacts").rglob("report.html"))
    assert [path.read_bytes() for path in logged] == [(out / "report.html").read_bytes()]
    mean = journal.exits.groupby("exit")["dev_accuracy"].max()
    assert mean.iloc[-1] > mean.iloc[0] > 0.6, "depth should buy accuracy on graded sentences"
