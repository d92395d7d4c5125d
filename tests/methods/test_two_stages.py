"""The protocol carries a two-stage method: other exits, other parts and a fresh optimiser from the middle on."""

from __future__ import annotations

import pytest
from method_cases import CASES, EPOCHS
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from greenexp.meters.flops import training_flops
from greenexp.methods.base import MethodRun, Stage
from greenexp.objectives import exit_losses
from greenexp.records.costs import Part


class TwoStages(MethodRun):
    """First everything under the last exit, then the heads below it."""

    def stage(self, epoch: int) -> Stage:
        half = self.shape.epochs // 2
        if epoch <= half:
            return Stage(1, 1, half, exits=self.shape.exits[-1:])
        return Stage(2, half + 1, self.shape.epochs, self.shape.exits[:-1], frozenset({Part.HEADS}))

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        return exit_losses(logits, labels).sum()


@pytest.mark.parametrize(("epoch", "trained"), [(1, (3,)), (2, (3,)), (3, (1, 2, 3)), (EPOCHS, (1, 2, 3))])
def test_exits_are_evaluated_once_trained(epoch: int, trained: tuple[int, ...], make_trial):
    assert TwoStages(make_trial(CASES[0]).run.shape).trained_exits(epoch) == trained


@pytest.mark.parametrize("epoch", [1, EPOCHS])
def test_gradients_and_flops_follow_the_stage(epoch: int, make_trial, make_batch):
    trial, batch = make_trial(CASES[0]), make_batch((5, 8))
    run = TwoStages(trial.run.shape)
    stage = run.stage(epoch)
    trained = {id(parameter) for parameter in trial.model.train_only(stage.parts, stage.exits)}
    with FlopCounterMode(display=False) as counter:
        run.step(trial.context(batch, epoch=epoch))
    named = dict(trial.model.named_parameters())
    assert {id(named[name]) for name in trial.gradients()} == trained
    passes = run.passes(epoch, 0)
    shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
    expected = sum(training_flops(trial.model.costs(*shape), passes) for shape in shapes)
    assert expected == counter.get_total_flops()
