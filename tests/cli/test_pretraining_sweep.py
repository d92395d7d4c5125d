"""The shipped sweep `pretraining` on a tiny text."""

from __future__ import annotations

from pathlib import Path

import pytest
from sweeps_for_tests import greenexp

from greenexp.journal.tables import read_tables

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TINY = {
    "task.stream": "true",
    "task.words": 24,
    "task.dev": 0.3,
    "backbone.layers": 2,
    "backbone.hidden": 16,
    "training.epochs": 2,
    "training.max_length": 32,
    "search.samples": 1,
    "scheduler": "{name: fifo}",
    "resources.workers": 1,
}


def test_a_text_is_trained_on_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    texts = ["\n".join(f"The part {number} of {place} is long ." for place in range(6)) for number in range(40)]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "documents.txt").write_text("\n\n".join(texts), encoding="utf-8")
    settings = [word for path, value in TINY.items() for word in ("--set", f"{path}={value}")]
    done = greenexp("run", "pretraining", "--out", "out", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tables = read_tables(tmp_path / "out")
    assert tables.trials["status"].tolist() == ["finished"]
    assert not tables.exits[["dev_mlm_accuracy", "dev_mlm_loss", "dev_pretraining_loss"]].isna().any(axis=None)
    assert (tmp_path / "out" / "report.html").is_file()
    assert len([one for one in (tmp_path / "cache" / "greenexp" / "tokens").iterdir() if one.is_dir()]) == 1
