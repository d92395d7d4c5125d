"""A sweep whose weights are in a folder, named from where the user stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from sweeps_for_tests import greenexp, write_sweep
from told import tells

from greenexp.journal.tables import read_tables

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SWEEP = """\
name: tiny
task: {name: clauses, train: 40, dev: 20, test: 20}
backbone: {name: electra, source: weights/mine}
training: {epochs: 1, batch_size: 16, max_length: 24}
tracking: {enabled: false}
"""


def test_a_folder_relative_to_the_working_directory_is_found_by_the_workers(tmp_path: Path) -> None:
    """Ray would move its workers to a folder of their own, where no relative path leads anywhere."""
    folder = tmp_path / "weights" / "mine"
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    config = transformers.ElectraConfig(
        vocab_size=len(words), embedding_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=32,
    )  # fmt: skip
    transformers.ElectraForPreTraining(config).save_pretrained(folder)
    done = greenexp("run", write_sweep(tmp_path, SWEEP), "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_tables(tmp_path / "out").trials["status"].tolist() == ["finished"]
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert tells(report, "pooler … (1 trial)")
