"""Gradient equilibrium: a layer gets the mean of the gradients of the computed exits above it, a head its own whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from greenexp.backbones.base import Backbone, EncoderState, TokenBatch
from greenexp.exits.base import ExitHead, ExitInput
from greenexp.model import MultiExitModel, build_model
from greenexp.model.equilibrium import scaled_gradient
from greenexp.objectives import exit_losses
from greenexp.records.costs import BlockCost, EncoderCosts
from greenexp.records.settings import ModelSettings

LAYERS, LABELS = 4, torch.tensor([0, 1, 1])
TOKENS = TokenBatch(torch.from_numpy(np.random.default_rng(0).integers(4, 30, (3, 5))))


class Chain(Backbone):
    """h_i = w_i h_{i-1}, one number per example: the fixture's toy."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.num_layers, self.hidden_size, self.max_length, self.vocab_size = len(weights), 1, 1, 1
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def embed(self, batch: TokenBatch) -> EncoderState:
        return EncoderState(batch.input_ids.double().unsqueeze(-1))

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        return EncoderState(hidden)

    def layer(self, index: int, state: EncoderState) -> EncoderState:
        return EncoderState(self.weights[index] * state.hidden)

    def pool(self, state: EncoderState) -> Tensor:
        return state.hidden[:, 0]

    def matmuls(self, batch_size: int, length: int) -> EncoderCosts:
        return EncoderCosts((), ((),) * self.num_layers, ())

    def embedding_parameters(self) -> Iterable[nn.Parameter]:
        return ()

    def layer_parameters(self) -> Iterable[nn.Parameter]:
        return (self.weights,)

    def pooler_parameters(self) -> Iterable[nn.Parameter]:
        return ()

    def save(self, folder: Path) -> None:
        raise ValueError("a toy is not saved")


class AsItIs(ExitHead):
    """The state itself is the answer."""

    def forward(self, state: ExitInput) -> Tensor:
        assert state.pooled is not None
        return state.pooled

    def matmuls(self, batch_size: int, length: int) -> BlockCost:
        return ()


@pytest.mark.parametrize("equilibrium", [True, False])
def test_the_official_gradients(reference: Any, equilibrium: bool):
    official = reference("gradient_equilibrium")
    count = len(official["with"])
    chain = Chain([1 + 0.1 * i for i in range(count)])
    model = MultiExitModel(chain, [AsItIs() for _ in range(count)], range(1, count + 1), 1, {})
    outputs = model.outputs(TokenBatch(torch.ones(1, 1, dtype=torch.int64)), equilibrium=equilibrium)
    targets = torch.arange(1, count + 1, dtype=torch.float64)
    loss = (torch.stack(outputs.logits).flatten() - targets).square().sum()
    loss.backward()
    assert loss.item() == pytest.approx(official["loss"], abs=1e-12)
    wanted = official["with" if equilibrium else "without"]
    assert chain.weights.grad is not None
    assert chain.weights.grad.tolist() == pytest.approx(wanted, abs=1e-12)


def a_model(layers: object, head: str = "linear", **backbone: Any) -> MultiExitModel:
    sizes = {"layers": LAYERS, "hidden": 8, "heads": 2, "intermediate": 12, "max_positions": 8, "dropout": 0.0}
    settings = {
        "backbone": {"name": "bert", "attention": "eager", **sizes, **backbone},
        "exits": {"layers": layers, "head": {"name": head, "dropout": 0.0}},
    }
    return build_model(ModelSettings.from_json(settings), 2, vocab_size=30, pad_id=0, seed=1).double().train()


def gradients(model: MultiExitModel, loss: Tensor) -> dict[str, Tensor]:
    """By parameter; zero where there is none."""
    model.zero_grad()
    loss.backward()
    return {
        name: torch.zeros_like(value) if value.grad is None else value.grad for name, value in model.named_parameters()
    }


def depth(name: str) -> int | None:
    """Layer of a parameter, from 1; 0 for embeddings; None for what sits on the layers."""
    if ".encoder.layer." in name:
        return int(name.split(".encoder.layer.")[1].split(".")[0]) + 1
    return 0 if ".embeddings." in name else None


def loss_of(model: MultiExitModel, exits: Sequence[int], *, equilibrium: bool) -> Tensor:
    return exit_losses(torch.stack(model.outputs(TOKENS, exits, equilibrium=equilibrium).logits), LABELS).sum()


SUBSETS = [exits for count in (1, 2, 3) for exits in itertools.combinations((1, 2, 3), count)]


@pytest.mark.parametrize("head", ["linear", "pooled", "scalar_mix"])
@pytest.mark.parametrize("layers", [(1, 2, 4), (2, 3, 4), (1, 3, 4)], ids=str)
def test_a_layer_gets_the_mean_of_the_computed_exits_above(layers: tuple[int, ...], head: str):
    model = a_model(list(layers), head)
    alone = {number: gradients(model, loss_of(model, (number,), equilibrium=False)) for number in model.exits}
    for exits in SUBSETS:
        found = gradients(model, loss_of(model, exits, equilibrium=True))
        for name, value in found.items():
            layer = depth(name)
            above = [number for number in exits if layer is not None and layers[number - 1] >= layer]
            total = sum(alone[number][name] for number in exits)
            assert torch.allclose(value, total / max(len(above), 1), rtol=1e-10, atol=1e-15), (exits, name)


def test_the_mean_is_not_the_sum():
    model = a_model("all")
    plain, balanced = (gradients(model, loss_of(model, (1, 2, 3, 4), equilibrium=how)) for how in (False, True))
    for name, value in plain.items():
        layer = depth(name)
        factor = 1 if layer is None else 1 / (LAYERS - max(layer, 1) + 1)
        assert torch.allclose(balanced[name], factor * value, rtol=1e-10, atol=1e-15), name
        assert value.abs().max() > 0, name


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("head", ["linear", "scalar_mix"])
def test_nothing_changes_on_the_way_up(head: str, autocast: bool):
    model = a_model([1, 2, 4], head).float()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        plain, balanced = (torch.stack(model.outputs(TOKENS, equilibrium=how).logits) for how in (False, True))
    assert torch.equal(plain, balanced)
    assert balanced.dtype == torch.float32


def test_under_bf16_autocast_it_is_still_the_mean():
    """With two exits: halves are exact in any format."""
    model = a_model("all").float()
    found = []
    for equilibrium in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, (2, 4), equilibrium=equilibrium)
        found.append(gradients(model, loss))
    plain, balanced = found
    for name, value in plain.items():
        layer = depth(name)
        factor = 0.5 if layer is not None and layer <= 2 else 1.0
        assert torch.equal(balanced[name], factor * value), name
        assert layer is None or value.abs().max() > 0, name


def test_a_frozen_state_is_let_through():
    value = torch.ones(2, 3)
    assert torch.equal(scaled_gradient(value, 0.5), value)
    assert not scaled_gradient(value, 0.5).requires_grad
