"""TinyBERT: its two losses written out, which layers it pairs, and a student of another width."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from taught_trials import trial
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.methods.pricing import passes_flops
from greenexp.model import MultiExitModel
from greenexp.records.costs import ALL_PARTS

NARROW = {"name": "tinybert", "layers": 2, "hidden": 8, "heads": 2, "intermediate": 10}


def looked_at(model: MultiExitModel, tokens: TokenBatch) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """States and raw attention scores by the library's own pass: the scores from the states and the weights."""
    library = model.backbone.model
    states = library(
        input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, output_hidden_states=True
    ).hidden_states
    scores = []
    for layer, state in zip(library.encoder.layer, states, strict=False):
        own = layer.attention.self
        size = own.attention_head_size
        each = []
        for head in range(own.num_attention_heads):
            rows = slice(head * size, (head + 1) * size)
            query = state @ own.query.weight[rows].T + own.query.bias[rows]
            key = state @ own.key.weight[rows].T + own.key.bias[rows]
            each.append(torch.einsum("bqd,bkd->bqk", query, key) / size**0.5)
        scores.append(torch.stack(each, 1))
    return list(states), scores


@pytest.mark.parametrize("fields", [{"name": "tinybert", "layers": 2}, NARROW, {**NARROW, "attention": False}])
def test_the_first_stage_is_its_formula(fields: dict, teacher: Path, make_batch) -> None:
    found, batch = trial(fields, teacher), make_batch((6,))
    total = found.run.step(found.context(batch))
    tokens = batch[0].inputs
    (own, own_scores), (his, his_scores) = (looked_at(one, tokens) for one in (found.model, found.run.teacher))
    projection = found.run.projection
    expected = torch.zeros((), dtype=torch.float64)
    for example, length in enumerate(tokens.attention_mask.sum(1).tolist()):
        for student, taught in ((0, 0), (1, 2), (2, 4)):
            state = own[student][example, :length]
            if projection is not None:
                state = state @ projection.weight.T + projection.bias
            expected = expected + ((state - his[taught][example, :length]) ** 2).mean() / len(own[0])
            if student and fields.get("attention", True):
                pairs = (slice(None), slice(length), slice(length))
                difference = own_scores[student - 1][example][pairs] - his_scores[taught - 1][example][pairs]
                expected = expected + (difference**2).mean() / len(own[0])
    wanted = (
        torch.autograd.grad(expected, list(found.run.parameters(1).values()), retain_graph=True) if projection else ()
    )
    assert [p.grad is not None for p in found.run.parameters(1).values()] == [True] * len(wanted)
    for parameter, gradient in zip(found.run.parameters(1).values(), wanted, strict=True):
        assert torch.allclose(parameter.grad, gradient.detach(), rtol=1e-9, atol=1e-12)
    found.check_step(total, expected)


def test_the_second_stage_is_the_cross_entropy_with_the_teachers_answers(teacher: Path, make_batch) -> None:
    found, batch = trial({"name": "tinybert", "layers": 2, "temperature": 2.0}, teacher), make_batch((6,))
    found.model.train_only(ALL_PARTS, (2,))
    total = found.run.step(found.context(batch, epoch=3))
    own = torch.softmax(found.model(batch[0].inputs, (2,))[0] / 2, -1)
    his = torch.softmax(found.run.teacher(batch[0].inputs, (4,))[0].detach() / 2, -1)
    found.check_step(total, -(his * own.log()).sum(-1).mean())
    with FlopCounterMode(display=False) as counter:
        found.run.step(found.context(batch, epoch=3))
    shape = tuple(batch[0].inputs.input_ids.shape)
    passes = found.run.passes(3, 1)
    assert passes_flops(found.model, found.run.teacher, shape, passes) == counter.get_total_flops()


def test_frozen_embeddings_leave_the_projection_to_train(teacher: Path, make_batch) -> None:
    from greenexp.records.costs import Part

    found, batch = trial(NARROW, teacher), make_batch((6,))
    found.model.train_only({Part.LAYERS}, (2,))
    with FlopCounterMode(display=False) as counter:
        found.run.step(found.context(batch))
    shape, passes = tuple(batch[0].inputs.input_ids.shape), found.run.passes(1, 0)
    frozen = {Part.EMBEDDINGS}
    assert passes_flops(found.model, found.run.teacher, shape, passes, frozen) == counter.get_total_flops()


def test_stages_and_pairs(teacher: Path) -> None:
    found = trial({"name": "tinybert", "layers": 3}, teacher)
    assert found.run.pairs == ((0, 0), (1, 1), (2, 2), (3, 4))
    assert [found.run.stage(epoch).number for epoch in (1, 2, 3, 4)] == [1, 1, 2, 2]
    only = trial({"name": "tinybert", "layers": 2, "intermediate_share": 0}, teacher).run
    assert [only.stage(epoch).number for epoch in (1, 4)] == [1, 1]
    most = trial({"name": "tinybert", "layers": 2, "intermediate_share": 0.99}, teacher).run
    assert [most.stage(epoch).number for epoch in (3, 4)] == [1, 2]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({**NARROW, "heads": 4}, "4 attention heads of the student, 2 of the teacher.*attention: false"),
        ({"name": "tinybert", "hidden": 8}, "its number of layers"),
        ({"name": "tinybert", "layers": 2, "heads": 2}, "its hidden"),
        ({**NARROW, "initial": "spread"}, "initial: spread"),
        ({"name": "tinybert", "layers": 5}, "5 layers of a teacher of 4|4 layers"),
    ],
)
def test_students_that_do_not_fit(fields: dict, told: str, teacher: Path) -> None:
    with pytest.raises(InputError, match=told):
        trial(fields, teacher)
