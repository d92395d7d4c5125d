"""Layers that are compiled for training: the numbers of the others but for rounding, and the same after a pause."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from greenexp.backbones.bert import BertBackbone
from greenexp.errors import FieldError, InputError, MemoryShortageError
from greenexp.model import load_model
from greenexp.records.epoch import EpochRecord
from greenexp.records.sections import CompressionChoice
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun, compiled
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
@pytest.mark.filterwarnings("ignore")  # of what torch's compiler imports
def test_numbers_of_compiled_code(
    trial: Trials, data: TokenisedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a part of each layer: a part takes a C++ compiler six seconds."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    whole = BertBackbone.compiled_parts
    monkeypatch.setattr(BertBackbone, "compiled_parts", lambda self: whole(self)[1::3])
    with TrialRun(trial(epochs=1), data) as one, TrialRun(trial(epochs=1, compile=True), data) as other:
        expected, found = next(without_dropout(one)), next(without_dropout(other))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-5)
    assert found.score == expected.score


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # as above
def test_a_paused_run_computes_the_same_whatever_was_compiled_before(
    trial: Trials, data: TokenisedTask, numbers: Numbers, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attention, by graphs that are not made into machine code, which takes long."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    whole = BertBackbone.compiled_parts
    monkeypatch.setattr(BertBackbone, "compiled_parts", lambda self: whole(self)[::3])
    spec = trial(epochs=2, compile=True)
    torch._dynamo.utils.counters.clear()
    with TrialRun(spec, data, model_folder=tmp_path / "model") as run:
        records = [next(run)]
        made = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        records.append(next(run))
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == made
    assert made == 2, "with padding and without"
    with TrialRun(trial(epochs=1), data) as one:
        expected = next(one)
        assert set(load_model(tmp_path / "model").state_dict()) == set(one._setup.model.state_dict())
    assert records[0].costs.train_flops == expected.costs.train_flops
    assert (NOTE in expected.computed_with["notes"], NOTE in records[0].computed_with["notes"]) == (False, True)
    with TrialRun(spec, data) as run:
        run.train_on(lambda: True)
        run.save(folder)
    with TrialRun(trial(epochs=1, compile=True, max_length=9, batch_size=5), data) as run:
        next(run)
    with TrialRun(spec, data) as run:
        run.load(folder)
        assert [numbers(record) for record in run] == [numbers(record) for record in records]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # as above
def test_batches_that_compiled_code_does_not_fit(
    trial: Trials, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal numbers of examples and tokens are one size to the compiler."""
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    monkeypatch.setattr(compiled, "_EXAMPLES", compiled._TOKENS)
    with TrialRun(trial(epochs=1, compile=True), data) as run, pytest.raises(InputError, match="does not fit batches"):
        next(run)


def test_too_little_memory_for_the_largest_batch_is_no_fault_of_the_compiler(
    trial: Trials, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(compiled, "BACKEND", "eager")
    monkeypatch.setattr(compiled.CompiledLayers, "_show", short)
    with TrialRun(trial(epochs=1, compile=True), data) as run, pytest.raises(MemoryShortageError):
        next(run)


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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # as above
def test_what_a_compiler_without_headers_says_is_told_in_a_line(
    trial: Trials, data: TokenisedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gxx = tmp_path / "c++"
    gxx.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) exec g++ "$@";; esac\necho "Python.h: fatal error" >&2; exit 1\n'
    )
    gxx.chmod(0o755)
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (str(gxx),))  # read from CXX when torch was imported
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    with (
        pytest.raises(InputError, match=r"training.compile: .*Python.h: fatal error") as raised,
        TrialRun(trial(epochs=1, compile=True), data) as run,
    ):
        next(run)
    assert "\n" not in str(raised.value)


def test_a_compiled_batch_is_not_divided_and_seeds_are_not_fused(trial: Trials, data: TokenisedTask) -> None:
    with TrialRun(trial(compile=True), data, at_once=4) as run:
        assert run._setup.undivided == "its layers are compiled"
        assert run._setup.trainer.at_once is None
        assert not run.can_be_fused
