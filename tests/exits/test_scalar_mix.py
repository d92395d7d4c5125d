"""The scalar mix: what it computes by hand, that its weights really train, what it costs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.exits import HEADS
from greenexp.exits.base import ExitInput, ExitPlace
from greenexp.exits.scalar_mix import ScalarMix
from greenexp.meters.flops import forward_flops, training_flops
from greenexp.model import MultiExitModel, build_model
from greenexp.objectives import exit_losses
from greenexp.records.costs import ALL_PARTS, Part, Pass
from greenexp.records.sections import HeadChoice
from greenexp.records.settings import ModelSettings

TOKENS = TokenBatch(torch.from_numpy(np.random.default_rng(0).integers(4, 30, (5, 6))))
LABELS = torch.tensor([0, 1, 1, 0, 1])
each_normalisation = pytest.mark.parametrize("normalisation", ["l2", "softmax"])


def pooled_vectors(layers: int, examples: int = 5, hidden: int = 8) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(examples, hidden, generator=generator) for _ in range(layers))


def seen(earlier: tuple[Tensor, ...]) -> ExitInput:
    return ExitInput(hidden=earlier[-1][:, None], pooled=earlier[-1], earlier=earlier)


def a_model(layers: object = "all", **backbone: Any) -> MultiExitModel:
    sizes = {"layers": 4, "hidden": 12, "heads": 2, "intermediate": 16, "max_positions": 8, "dropout": 0.0}
    settings = {
        "backbone": {"name": "bert", "attention": "eager", **sizes, **backbone},
        "exits": {"layers": layers, "head": {"name": "scalar_mix", "dropout": 0.0}},
    }
    return build_model(ModelSettings.from_json(settings), 2, vocab_size=30, pad_id=0, seed=1).train()


@each_normalisation
def test_logits_by_hand(normalisation: Any):
    head = ScalarMix(normalisation=normalisation).build(ExitPlace(8, 3, number=2, layer=4, exits=3)).eval()
    free = [0.3, -1.0, 2.0, 0.1]
    head.mix.data = torch.tensor(free)
    weights = [math.exp(a) for a in free] if normalisation == "softmax" else free
    size = sum(weights) if normalisation == "softmax" else math.sqrt(sum(a * a for a in free))
    earlier = pooled_vectors(4)
    mixed = torch.zeros(5, 8)
    for weight, pooled in zip(weights, earlier, strict=True):
        mixed += weight / size * pooled
    wanted = mixed @ head.classifier.weight.T + head.classifier.bias
    assert torch.allclose(head(seen(earlier)), wanted, atol=1e-6)
    assert head.reads_pooled
    assert head.reads_earlier
    assert sum(parameter.numel() for parameter in head.parameters()) == 8 * 3 + 3 + 4


@each_normalisation
def test_all_layers_count_alike_at_first(normalisation: Any):
    head = ScalarMix(normalisation=normalisation).build(ExitPlace(8, 2, layer=9))
    assert head.weights.tolist() == pytest.approx([1 / 3 if normalisation == "l2" else 1 / 9] * 9)


def test_it_wants_every_layer():
    head = ScalarMix().build(ExitPlace(8, 2, layer=3))
    with pytest.raises(ValueError, match=r"3 layers.* 2"):
        head(seen(pooled_vectors(2)))


def test_dropout_acts_in_training_alone():
    head, state = ScalarMix(dropout=0.5).build(ExitPlace(64, 2, layer=2)), seen(pooled_vectors(2, hidden=64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(head.train()(state), head(state))
    assert torch.equal(head.eval()(state), head(state))


def test_the_mix_reads_the_layers_between_exits_too():
    model = a_model([2, 4]).double().eval()
    state, earlier = model.backbone.embed(TOKENS), []
    for layer in range(4):
        state = model.backbone.layer(layer, state)
        earlier.append(model.backbone.pool(state))
    for number, layers in ((1, 2), (2, 4)):
        wanted = model.head(number)(seen(tuple(earlier[:layers])))
        assert torch.allclose(model(TOKENS, (number,))[0], wanted, rtol=1e-12)
        assert len(model.head(number).mix) == layers


@each_normalisation
def test_the_weights_really_train(normalisation: Any):
    """The official ones are re-created at every step, and stay where they began."""
    model = a_model()
    for head in model.heads:
        head.normalisation = normalisation
        head.mix.data += torch.linspace(0, 0.5, len(head.mix))
    before = [head.weights.detach().clone() for head in model.heads]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        exit_losses(model(TOKENS), LABELS).sum().backward()
        assert all(head.mix.grad is not None for head in model.heads)
        assert all(head.mix.grad.abs().max() > 0 for head in model.heads[1:])
        optimiser.step()
        optimiser.zero_grad()
    for head, start in zip(list(model.heads)[1:], before[1:], strict=True):
        assert (head.weights - start).abs().max() > 0.01


def test_gradients_of_the_weights_equal_finite_differences():
    model, step = a_model([3, 4]).double(), 1e-6
    exit_losses(model(TOKENS), LABELS).sum().backward()
    for head in model.heads:
        for place in range(len(head.mix)):
            found = []
            for sign in (1, -1):
                head.mix.data[place] += sign * step
                found.append(exit_losses(model(TOKENS), LABELS).sum().item())
                head.mix.data[place] -= sign * step
            difference = (found[0] - found[1]) / (2 * step)
            assert head.mix.grad[place].item() == pytest.approx(difference, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("pooling", ["pooler", "mean"])
@pytest.mark.parametrize("exits", [(1,), (2,), (1, 2)], ids=str)
@pytest.mark.parametrize(
    "parts", [ALL_PARTS, frozenset({Part.HEADS}), frozenset({Part.HEADS, Part.POOLER})], ids=["all", "heads", "ends"]
)
def test_flops_equal_the_counter(pooling: str, exits: tuple[int, ...], parts: frozenset[Part]):
    model = a_model([2, 4], pooling=pooling)
    model.train_only(parts, exits)
    costs = model.costs(*TOKENS.input_ids.shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(TOKENS, exits)
    assert counter.get_total_flops() == forward_flops(costs, exits)
    with FlopCounterMode(display=False) as counter:
        exit_losses(model(TOKENS, exits), LABELS).sum().backward()
    assert counter.get_total_flops() == training_flops(costs, [Pass(exits, (exits,), parts)])


def test_costs_of_leaving():
    """Leaving at the second exit after the first was asked pools each layer once."""
    model = a_model([2, 4])
    costs = model.exit_costs([6])
    pooler = 2 * 12 * 12
    assert model.costs(1, 6).pooled_layers((1,)) == {1, 2}
    assert model.costs(1, 6).pooled_layers((1, 2)) == model.costs(1, 6).pooled_layers((2,)) == {1, 2, 3, 4}
    linear = build_model(replace(model.settings, layers=(2, 4), head=HeadChoice(name="linear")), 2, 30, 0, 1)
    without = linear.exit_costs([6])
    assert (costs.static_flops - without.static_flops)[:, 0].tolist() == [pooler, 3 * pooler]
    assert (costs.dynamic_flops - without.dynamic_flops)[:, 0].tolist() == [pooler, 2 * pooler]


def test_its_name():
    assert HEADS["scalar_mix"] is ScalarMix
