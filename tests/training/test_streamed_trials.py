"""Training from files: the numbers of training from memory, also after a pause within an epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from greenexp.records.epoch import EpochRecord
from greenexp.records.trial import Fold, TrialSpec
from greenexp.tasks.corpus import Corpus
from greenexp.tasks.folds import on_fold
from greenexp.tasks.token_store import kept_tokens
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun

Numbers = Callable[[EpochRecord], dict[str, Any]]


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[TokenisedTask, TokenisedTask]:
    """A text in memory and in files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(13)]
    lines = (" ".join((*rng.choice(words, rng.integers(3, 7)), ".")) for _ in range(240))
    (tmp_path / "documents.txt").write_text("\n\n".join("\n".join(four) for four in zip(*[lines] * 4, strict=True)))
    tasks = [
        Corpus(files=str(tmp_path / "*.txt"), words=24, dev=0.2, train_size=32, stream=stream).load()
        for stream in (False, True)
    ]
    tokenizer = word_tokenizer([*tasks[0].train.texts, *(tasks[0].train.pairs or ())], masks=True)
    return tokenise(tasks[0], tokenizer, 20), kept_tokens(
        "a" * 32, lambda keep: tokenise(tasks[1], tokenizer, 20, keep)
    )


def test_the_numbers_are_those_of_memory_also_after_a_pause(
    both: tuple[TokenisedTask, TokenisedTask], trial: Callable[..., TrialSpec], numbers: Numbers, folder: Path
) -> None:
    held, streamed = both
    spec = trial(
        method={"name": "elasticbert_pretraining", "groups": 2},
        exits={"head": {"name": "pretraining"}},
        metric={"name": "mlm_accuracy", "exit": "last", "mode": "max"},
        epochs=2,
        batch_size=8,
        learning_rate=1e-2,
    )
    with TrialRun(spec, held) as run:
        expected = [numbers(record) for record in run]
    with TrialRun(spec, streamed) as run:
        assert [numbers(record) for record in run] == expected
    found: list[dict[str, Any]] = []
    for data, steps in ((streamed, 2), (held, 5), (streamed, None)):
        with TrialRun(spec, data) as run:
            if run.step < (steps or 9) and folder.exists():
                run.load(folder)
            while steps is not None and run.step < steps:
                record = run.train_on(lambda: True)
                found += [] if record is None else [numbers(record)]
            if steps is None:
                found += [numbers(record) for record in run]
            else:
                run.save(folder)
    assert found == expected


def test_a_fold_of_files(both: tuple[TokenisedTask, TokenisedTask], trial: Callable[..., TrialSpec]) -> None:
    folds = [on_fold(data, Fold(1, 3)) for data in both]
    assert folds[0].fingerprint == folds[1].fingerprint
    with TrialRun(trial(epochs=1), folds[0]) as one, TrialRun(trial(epochs=1), folds[1]) as other:
        assert next(one).train_loss == next(other).train_loss
