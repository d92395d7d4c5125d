"""The pieces of training on their own: schedule, optimiser, precision, scores, stored logits."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from told import tells
from torch import nn

from greenexp.errors import DivergedError, InputError, StateError
from greenexp.records.sections import Metric, Training
from greenexp.replay.logits import StoredLogits, read_logits, write_logits
from greenexp.training import precision
from greenexp.training.isolation import epoch_seed
from greenexp.training.precision import choose_precision, explain_precision
from greenexp.training.schedule import learning_rate_at, make_optimiser, scheduled_rate
from greenexp.training.scoring import check_metric, exit_metrics, is_better, selected_score

CPU = torch.device("cpu")


@given(st.integers(1, 400), st.floats(0, 1))
def test_schedule_rises_to_the_peak_then_falls(steps: int, warmup: float) -> None:
    rates = [learning_rate_at(step, steps, warmup, 2.0) for step in range(1, steps + 1)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(2.0)
    assert min(rates) > 0
    assert top == min(int(warmup * steps), steps - 1)
    assert all(a < b for a, b in pairwise(rates[: top + 1]))
    assert all(a > b for a, b in pairwise(rates[top:]))


def test_schedule_in_numbers() -> None:
    assert [learning_rate_at(s, 5, 0.4, 6.0) for s in range(1, 6)] == pytest.approx([2, 4, 6, 4, 2])


def test_steps_in_numbers() -> None:
    training = Training(schedule="steps", milestones=(0.5, 0.8), decay=0.1, warmup=0.2)
    rates = [scheduled_rate(step, 10, training, 6.0) for step in range(1, 11)]
    assert rates == pytest.approx([2, 4, 6, 6, 6, 0.6, 0.6, 0.6, 0.06, 0.06])
    usual = Training(schedule="steps", warmup=0.0)
    assert [scheduled_rate(step, 4, usual, 1.0) for step in range(1, 5)] == pytest.approx([1, 1, 0.1, 0.01])


@pytest.mark.parametrize(
    "fields",
    [
        {"momentum": 0.5},
        {"milestones": [0.5]},
        {"decay": 0.5},
        {"schedule": "steps", "milestones": [0.5, 0.5]},
        {"schedule": "steps", "milestones": [0.0]},
        {"schedule": "steps", "milestones": [1.0]},
        {"schedule": "steps", "decay": 1.0},
        {"optimiser": "sgd", "momentum": 1.0},
    ],
)
def test_fields_of_another_optimiser_or_schedule_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Training.model_validate(fields)


def test_what_texts_do_not_use_is_not_recorded() -> None:
    """Older trials keep their fingerprints."""
    new = {"optimiser", "momentum", "schedule", "milestones", "decay"}
    assert not new & Training().model_dump(mode="json").keys()
    written = Training(optimiser="sgd", momentum=0.8, schedule="steps", milestones=(0.4,), decay=0.5)
    assert Training.model_validate(written.model_dump(mode="json")) == written


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_only_matrices_decay(optimiser: Any) -> None:
    layer = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    made = make_optimiser(layer.parameters(), Training(optimiser=optimiser, weight_decay=0.5))
    decays = {p: group["weight_decay"] for group in made.param_groups for p in group["params"]}
    assert {name: decays[p] for name, p in layer.named_parameters()} == {
        "0.weight": 0.5,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }


def test_a_parameter_without_gradient_is_not_decayed_either() -> None:
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimiser = make_optimiser([used, unused], Training(weight_decay=0.5))
    optimiser.param_groups[0]["lr"] = 0.1
    used.sum().backward()
    optimiser.step()
    assert torch.equal(unused, torch.ones(2, 2))
    assert not torch.equal(used, torch.ones(2, 2))


def test_sgd_goes_as_written_out() -> None:
    """v <- m v + g + d w; w <- w - lr v."""
    weight = nn.Parameter(torch.full((1, 1), 2.0))
    optimiser = make_optimiser([weight], Training(optimiser="sgd", momentum=0.5, weight_decay=0.1))
    expected, velocity = 2.0, 0.0
    for gradient, rate in ((1.0, 0.1), (-3.0, 0.2), (0.5, 0.2)):
        optimiser.param_groups[0]["lr"] = rate
        weight.grad = torch.full((1, 1), gradient)
        optimiser.step()
        velocity = 0.5 * velocity + gradient + 0.1 * expected
        expected -= rate * velocity
    assert weight.item() == pytest.approx(expected, rel=1e-6)


def test_epoch_seeds_differ() -> None:
    seeds = {epoch_seed(order, epoch) for order in range(20) for epoch in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("capabilities", "width", "expected"),
    [
        ({"avx512_bf16": True}, 384, "bf16"),
        ({"amx_bf16": True}, 96, "bf16"),
        ({"avx512_bf16": True}, 64, "fp32"),
        ({"avx512_bf16": False, "avx2": True}, 384, "fp32"),
        ({}, 384, "fp32"),
    ],
)
def test_auto_precision(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], width: int, expected: str
) -> None:
    monkeypatch.setattr(precision.torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision("auto", CPU, width) == expected
    assert choose_precision("bf16", CPU, width) == "bf16"
    assert choose_precision("fp32", CPU, width) == "fp32"
    assert f"auto is {'bf16' if any(capabilities.get(k) for k in precision._CPU_FEATURES) else 'fp32'}" in (
        explain_precision()
    )


@pytest.mark.parametrize("around", [True, False])
def test_changed_weights_are_seen_whatever_autocast_is_around(around: bool) -> None:
    layer, x = nn.Linear(4, 1, bias=False), torch.ones(1, 4)
    found = []
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=around):
        for value in (1.0, 2.0):
            nn.init.constant_(layer.weight, value)
            with torch.no_grad(), precision.autocast("bf16", CPU):
                found.append(layer(x))
    assert [float(y) for y in found] == [4.0, 8.0]
    assert found[0].dtype == torch.bfloat16


def test_a_metric_that_does_not_fit_the_task_is_refused_before_training() -> None:
    with pytest.raises(InputError, match="2 classes"):
        check_metric(Metric(name="f1"), (1, 2), 3)
    with pytest.raises(InputError, match="write mode: max"):
        check_metric(Metric(mode="min"), (1, 2), 2)
    check_metric(Metric(name="f1"), (1, 2), 2)
    check_metric(Metric(name="loss", mode="min"), (1, 2), 3)


VALUES = ({"loss": 0.3, "matthews": 0.2}, {"loss": 0.1, "matthews": None}, {"loss": 0.2, "matthews": 0.7})


@pytest.mark.parametrize(
    ("exit_", "mode", "expected"),
    [("mean", "max", 0.3), ("last", "max", 0.7), ("best", "max", 0.7), ("best", "min", 0.0), (4, "max", 0.0)],
)
def test_selected_score(exit_: str | int, mode: str, expected: float) -> None:
    score, remark = selected_score((2, 4, 6), VALUES, Metric(name="matthews", exit=exit_, mode=mode))
    assert score == pytest.approx(expected)
    assert tells(remark or "", "matthews … exit 4 … 0")
    assert selected_score((2, 4, 6), VALUES, Metric(name="loss"))[1] is None


def test_better() -> None:
    more, less = Metric(mode="max"), Metric(name="loss", mode="min")
    assert is_better(-9.0, None, more)
    assert [is_better(v, 0.5, more) for v in (0.4, 0.5, 0.6)] == [False, False, True]
    assert [is_better(v, 0.5, less) for v in (0.4, 0.5, 0.6)] == [True, False, False]


def test_dev_logits_that_overflow_are_divergence() -> None:
    logits = np.full((1, 3, 2), np.nan, dtype=np.float32)
    with pytest.raises(DivergedError, match=r"dev loss became nan.*12"):
        exit_metrics(logits, np.array([0, 1, 0]), ("accuracy",), Metric(), step=12)


def some_logits(seed: int = 0) -> StoredLogits:
    rng = np.random.default_rng(seed)
    return StoredLogits.of(rng.normal(size=(2, 5, 3)), np.arange(5) % 3, np.arange(5) + 2, (1, 3))


def test_logits_round_trip_under_their_hash(tmp_path: Path) -> None:
    name = write_logits(tmp_path / "logits", some_logits())
    assert write_logits(tmp_path / "logits", some_logits()) == name
    assert write_logits(tmp_path / "logits", some_logits(1)) != name
    found, made = read_logits(tmp_path / "logits", name), some_logits()
    for field in ("logits", "labels", "lengths", "exits"):
        assert np.array_equal(getattr(found, field), getattr(made, field))
        assert getattr(found, field).dtype == getattr(made, field).dtype
    assert len(list((tmp_path / "logits").iterdir())) == 2


def test_altered_or_absent_logits_are_refused(tmp_path: Path) -> None:
    name = write_logits(tmp_path, some_logits())
    path = tmp_path / f"{name}.npz"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(StateError, match="were altered"):
        read_logits(tmp_path, name)
    with pytest.raises(StateError, match="cannot be read"):
        read_logits(tmp_path, "0" * 64)


def test_logits_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("greenexp.durable.os.fsync", full)
    with pytest.raises(StateError, match="No space left on device"):
        write_logits(tmp_path, some_logits())
    assert os.listdir(tmp_path) == []  # noqa: PTH208
