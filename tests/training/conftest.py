"""A small task and small trials, quick enough to train many times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_settings import made_settings

from greenexp.records.epoch import EpochRecord
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer


@pytest.fixture(scope="session")
def data() -> TokenisedTask:
    """96 training and 40 dev sentences."""
    task = Clauses(train=96, dev=40, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 32)


@pytest.fixture(scope="session")
def trial() -> Callable[..., TrialSpec]:
    """`trial(order=1, method={...}, backbone={...}, metric={...}, epochs=3, ...)`: the rest goes to `training`."""

    def make(
        *,
        initialisation: int = 0,
        order: int = 0,
        method: dict[str, Any] | None = None,
        backbone: dict[str, Any] | None = None,
        exits: dict[str, Any] | None = None,
        metric: dict[str, Any] | None = None,
        **training: Any,
    ) -> TrialSpec:
        settings = made_settings(
            backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40} | (backbone or {}),
            exits=exits or {},
            method=method or {},
            training={"epochs": 3, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"} | training,
            metric=metric or {},
        )
        return TrialSpec("c000-i0-o0", "c000", 0, settings, {}, TrialSeeds(initialisation, order))

    return make


@pytest.fixture(scope="session")
def numbers() -> Callable[[EpochRecord], dict[str, Any]]:
    """A record without its measured costs: what must be equal to the last bit."""

    def strip(record: EpochRecord) -> dict[str, Any]:
        fields = record.to_json()
        costs, reasons = fields.pop("costs"), fields.pop("not_measured")
        computed = {name: costs[name] for name in ("train_flops", "eval_flops")}
        return fields | computed | {"remark": reasons.get("score")}

    return strip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where checkpoints go."""
    return tmp_path / "checkpoint"
