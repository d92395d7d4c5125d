"""Layers that are compiled for training: the numbers of the others but for rounding, and the same after a pause."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from greenexp.errors import FieldError, InputError
from greenexp.model import load_model
from greenexp.records.epoch import EpochRecord
from greenexp.records.sections import CompressionChoice
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun
from greenexp.training.compiled import NOTE, check_compiler

Trials = Callable[..., TrialSpec]
Numbers = Callable[[EpochRecord], dict[str, Any]]


def without_dropout(run: TrialRun) -> TrialRun:
    """Compiled code draws its masks in another way."""
    for module in run._setup.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return run


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, of a module that its compiler imports
def test_numbers_of_compiled_layers(
    trial: Trials, data: TokenisedTask, numbers: Numbers, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    eager, spec = trial(epochs=1), trial(epochs=1, compile=True)
    with TrialRun(eager, data) as one, TrialRun(spec, data, model_folder=tmp_path / "model") as other:
        names = set(one._setup.model.state_dict())
        expected, found = next(without_dropout(one)), next(without_dropout(other))
    assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-5)
    assert found.costs.train_flops == expected.costs.train_flops
    assert (NOTE in expected.computed_with["notes"], NOTE in found.computed_with["notes"]) == (False, True)
    assert set(load_model(tmp_path / "model").state_dict()) == names
    spec = trial(epochs=2, compile=True)
    with TrialRun(spec, data) as run:
        records = [next(run)]
        made = torch._dynamo.utils.counters["frames"]["total"]
        records.append(next(run))
        assert torch._dynamo.utils.counters["frames"]["total"] == made > 0
    with TrialRun(spec, data) as run:
        run.train_on(lambda: True)
        run.save(folder)
    with TrialRun(trial(epochs=1, compile=True, max_length=9, batch_size=5), data) as run:
        next(run)
    with TrialRun(spec, data) as run:
        run.load(folder)
        assert [numbers(record) for record in run] == [numbers(record) for record in records]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": {"name": "albert"}}, "layers of albert are not compiled"),
        ({"batch_size": 1}, "one example"),
        ({"batch_size": 4, "micro_batch_size": 1}, "one example"),
        ({"compression": {"name": "magnitude_pruning"}}, "compression magnitude_pruning"),
    ],
)
def test_what_cannot_be_compiled(changes: dict[str, Any], message: str, trial: Trials, data: TokenisedTask) -> None:
    compression = CompressionChoice(**changes.pop("compression", {"name": "none"}))
    spec = trial(compile=True, **changes)
    settings = dataclasses.replace(spec.settings, compression=compression)
    with pytest.raises(FieldError, match=message):
        TrialRun(dataclasses.replace(spec, settings=settings), data)


def test_without_a_compiler(trial: Trials, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="no 'no-such-compiler' here"):
        TrialRun(trial(compile=True), data)
    with pytest.raises(InputError, match="no-such-compiler"):
        check_compiler("cuda")


def test_a_compiled_batch_is_not_divided_and_seeds_are_not_fused(trial: Trials, data: TokenisedTask) -> None:
    with TrialRun(trial(compile=True), data, at_once=4) as run:
        assert run._setup.undivided == "its layers are compiled"
        assert run._setup.trainer.at_once is None
        assert not run.can_be_fused
