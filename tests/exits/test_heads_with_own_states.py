"""The heads that read hidden states themselves: pooled, attention, mixed_pool."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.exits import HEADS
from greenexp.exits.attention import Attention
from greenexp.exits.base import ExitHead, ExitInput, ExitPlace
from greenexp.exits.mixed_pool import MixedPool
from greenexp.exits.pooled import Pooled, untrained_if_sure
from greenexp.meters.flops import training_flops
from greenexp.model import MultiExitModel, build_model
from greenexp.records.costs import ALL_PARTS, Part, Pass
from greenexp.records.settings import ModelSettings

HIDDEN, CLASSES = 12, 3
NAMES = {
    "pooled": {},
    "attention": {"width": 8, "heads": 2},
    "mixed_pool": {"dropout": 0.1},
}
each_head = pytest.mark.parametrize("name", NAMES)


def built(name: str, **fields: Any) -> ExitHead:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = HEADS[name](**{**NAMES[name], **fields}).build(ExitPlace(HIDDEN, CLASSES, 2, 2, 2)).double().eval()
        for parameter in head.parameters():  # far enough from 0 that nothing is nearly linear
            nn.init.normal_(parameter, std=0.5)
    return head


def states(examples: int = 4, length: int = 6) -> Tensor:
    return torch.randn(examples, length, HIDDEN, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def model_with(name: str, **backbone: Any) -> MultiExitModel:
    sizes = {"layers": 2, "hidden": HIDDEN, "heads": 2, "intermediate": 20, "max_positions": 16}
    settings = {
        "backbone": {"name": "bert", "attention": "eager", **sizes, **backbone},
        "exits": {"layers": "all", "head": {"name": name, **NAMES[name]}},
    }
    return build_model(ModelSettings.from_json(settings), CLASSES, vocab_size=30, pad_id=0, seed=0)


@each_head
def test_padding_changes_nothing(name: str):
    head, hidden = built(name), states()
    padded = torch.cat([hidden, 100 * states(4, 3)], dim=1)
    real = torch.arange(9).expand(4, 9) < 6
    assert torch.allclose(head(ExitInput(padded, real)), head(ExitInput(hidden)), rtol=1e-12, atol=1e-12)
    each = torch.cat([head(ExitInput(row[None])) for row in hidden])
    assert torch.allclose(head(ExitInput(hidden)), each, rtol=1e-12, atol=1e-12)


@each_head
def test_no_gradient_reaches_padding(name: str):
    head, hidden = built(name), states().requires_grad_()
    real = torch.arange(6).expand(4, 6) < torch.tensor([[6], [4], [2], [1]])
    head(ExitInput(hidden, real)).square().sum().backward()
    assert hidden.grad is not None
    assert (hidden.grad[~real] == 0).all()
    assert hidden.grad[:, 0].abs().sum(dim=1).gt(0).all()


@each_head
def test_gradients_are_right(name: str):
    head, hidden = built(name), states(2, 3).requires_grad_()
    real = torch.tensor([[True, True, True], [True, True, False]])
    assert torch.autograd.gradcheck(lambda value: head(ExitInput(value, real)), (hidden,))


@each_head
@pytest.mark.parametrize("parts", [ALL_PARTS, frozenset({Part.HEADS}), ALL_PARTS - {Part.EMBEDDINGS}], ids=len)
def test_flops_equal_the_counter(name: str, parts: frozenset[Part]):
    model = model_with(name).train()
    batch = TokenBatch(torch.randint(4, 30, (3, 7), generator=torch.Generator().manual_seed(0)))
    model.train_only(parts)
    with FlopCounterMode(display=False) as counter:
        model(batch).square().sum().backward()
    assert counter.get_total_flops() == training_flops(model.costs(3, 7), (Pass((1, 2), ((1, 2),), parts),)) > 0


@each_head
def test_it_does_without_the_shared_pooler(name: str):
    model = model_with(name)
    assert not model.head(1).reads_pooled
    assert list(model.part_parameters(Part.POOLER)) == []
    assert model.costs(1, 5).encoder.pooler == ()


@each_head
def test_dropout_acts_in_training_alone(name: str):
    head = built(name, dropout=0.5)
    state = ExitInput(states())
    assert torch.equal(head(state), head(state))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(head.train()(state), head(state))


@each_head
def test_bfloat16_autocast(name: str):
    head = built(name).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(ExitInput(states().float(), torch.arange(6).expand(4, 6) < 5))
    assert logits.isfinite().all()


def test_pooled_is_its_formula():
    head, hidden = built("pooled"), states()
    expected = torch.tanh(hidden[:, 0] @ head.pooler.weight.T + head.pooler.bias) @ head.classifier.weight.T
    assert torch.allclose(head(ExitInput(hidden)), expected + head.classifier.bias)
    assert sum(value.numel() for value in head.parameters()) == HIDDEN**2 + HIDDEN + HIDDEN * CLASSES + CLASSES


def test_pooled_starts_from_the_pretrained_pooler_where_there_is_one():
    pooler = nn.Linear(HIDDEN, HIDDEN)
    head, untouched = Pooled().build(ExitPlace(HIDDEN, CLASSES)), Pooled().build(ExitPlace(HIDDEN, CLASSES))
    assert not torch.equal(head.pooler.weight, untouched.pooler.weight)
    head.start_from(pooler)
    assert torch.equal(head.pooler.weight, pooler.weight)
    assert torch.equal(head.pooler.bias, pooler.bias)
    with torch.no_grad():
        pooler.weight.zero_()
    assert not torch.equal(head.pooler.weight, pooler.weight)
    before = untouched.pooler.weight.clone()
    untouched.start_from(None)
    assert torch.equal(untouched.pooler.weight, before)
    exits = model_with("pooled", pooling="pooler")
    assert torch.equal(exits.head(1).pooler.weight, exits.head(2).pooler.weight)
    apart = model_with("pooled", pooling="cls")
    assert not torch.equal(apart.head(1).pooler.weight, apart.head(2).pooler.weight)


def test_attention_is_its_formula():
    """Against the library's attention over all tokens, of which the first is read."""
    head, hidden = built("attention"), states()
    width, real = 8, torch.arange(6).expand(4, 6) < torch.tensor([[6], [5], [3], [1]])
    library = nn.MultiheadAttention(width, 2, batch_first=True, dtype=torch.float64).eval()
    with torch.no_grad():
        library.in_proj_weight.copy_(torch.cat([head.query.weight, head.key_value.weight]))
        library.in_proj_bias.copy_(torch.cat([head.query.bias, head.key_value.bias]))
        library.out_proj.load_state_dict(head.output.state_dict())
    tokens = torch.tanh(head.narrow(hidden))
    attended, _ = library(tokens, tokens, tokens, key_padding_mask=~real)
    expected = head.classifier(torch.tanh(head.dense(attended[:, 0])))
    assert torch.allclose(head(ExitInput(hidden, real)), expected, rtol=1e-12, atol=1e-12)
    weights = HIDDEN * width + 5 * width**2 + width * CLASSES
    assert sum(value.numel() for value in head.parameters() if value.ndim == 2) == weights


def test_attention_refuses_a_width_that_heads_do_not_divide():
    with pytest.raises(InputError, match="multiple of heads"):
        Attention(width=9, heads=2)


def test_mixed_pool_is_its_formula():
    head, hidden = built("mixed_pool"), states()
    alpha = head.alpha.item()
    mixed = alpha * hidden.max(dim=1).values + (1 - alpha) * hidden.mean(dim=1)
    expected = mixed @ head.classifier.weight.T + head.classifier.bias
    assert torch.allclose(head(ExitInput(hidden)), expected)
    assert sum(value.numel() for value in head.parameters()) == HIDDEN * CLASSES + CLASSES + 1


def test_mixed_pool_begins_between_mean_and_maximum():
    alphas = [MixedPool().build(ExitPlace(HIDDEN, CLASSES)).alpha.item() for _ in range(20)]
    assert all(0 <= alpha < 1 for alpha in alphas)
    assert len(set(alphas)) > 1


def test_the_untrained_classifier_answers_when_it_is_sure():
    untrained = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 500.0], [float("nan"), 0.0]])
    trained = torch.tensor([[1.0, 2.0]]).expand(4, 2)
    found = untrained_if_sure(untrained, trained, 0.1)
    assert found.tolist() == [[1, 2], [9, 0], [0, 500], [1, 2]]
    assert untrained_if_sure(untrained[:1], trained[:1], 0.6932).tolist() == [[0, 0]]


def test_the_last_exit_alone_holds_an_untrained_classifier():
    plugin, hidden = Pooled(dropout=0.0, untrained_last_below=1.0), torch.randn(5, 4, HIDDEN)
    first, last = (plugin.build(ExitPlace(HIDDEN, 2, number, number, 2)) for number in (1, 2))
    with torch.no_grad():
        last.classifier.bias.fill_(7.0)
    state = ExitInput(hidden)
    assert last.train()(state).mean().item() > 6
    assert last.eval()(state).abs().max().item() < 1  # nearly even, ln 2 nats: below the threshold
    assert len(list(last.parameters())) == len(list(first.parameters()))
    assert len(last.state_dict()) == len(first.state_dict()) + 3
    last.below = 0.1
    assert last.eval()(state).mean().item() > 6
    pooler = nn.Linear(HIDDEN, HIDDEN)
    last.start_from(pooler)
    assert torch.equal(last.untrained_pooler, pooler.weight)
    assert torch.equal(last.untrained_pooler_bias, pooler.bias)
