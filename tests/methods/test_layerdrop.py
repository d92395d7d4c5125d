"""LayerDrop: which layers run, the loss without them, and what that costs."""

from __future__ import annotations

import pytest
import torch
from method_cases import Case
from torch.utils.flop_counter import FlopCounterMode

from greenexp.meters.flops import training_flops
from greenexp.methods.base import TrialShape
from greenexp.methods.layerdrop import LayerDrop
from greenexp.objectives import exit_losses


@pytest.mark.parametrize("exits", ["last", "all"])
def test_layers_that_are_dropped_do_not_run(exits: str, make_trial, make_batch) -> None:
    case = Case({"name": "layerdrop", "rate": 0.5, "exits": exits}, (1, 1, 1) if exits == "all" else (0, 0, 1))
    seen = set()
    for step in range(6):
        trial, batch = make_trial(case), make_batch((6, 9))
        with FlopCounterMode(display=False) as counter:
            total = trial.run.step(trial.context(batch, step=step))
        layers, numbers = trial.run.layers(step), trial.run.stage(1).exits
        shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
        passes = trial.run.passes(1, step)
        flops = sum(training_flops(trial.model.costs(*shape), passes) for shape in shapes)
        assert flops == counter.get_total_flops()
        expected = torch.zeros((), dtype=torch.float64)
        for micro in batch:
            state = trial.model.backbone.embed(micro.inputs)
            logits = []
            for layer in (1, 2, 3):
                state = trial.model.backbone.layer(layer - 1, state) if layer in layers else state
                logits += [trial.model.exit_logits(layer, state)] if layer in numbers else []
            expected = expected + micro.share * exit_losses(torch.stack(logits), micro.labels).mean()
        trial.check_step(total, expected)
        seen.add(layers)
    assert len(seen) > 2


def test_draws_depend_on_seed_and_step_alone() -> None:
    shape = TrialShape(tuple(range(1, 7)), 6, 2, epochs=3, seed=4)
    runs = [LayerDrop(0.25).begin(shape) for _ in range(2)]
    drawn = [runs[0].layers(step) for step in range(400)]
    assert drawn == [runs[1].layers(step) for step in range(400)]
    assert sum(map(len, drawn)) / (6 * 400) == pytest.approx(0.75, abs=0.03)
    assert all(len(LayerDrop(0.0).begin(shape).layers(step)) == 6 for step in range(5))
