"""Training FLOPs of every method, as declared by its passes, against torch's counter over its real steps."""

from __future__ import annotations

import pytest
from method_cases import CASES, Case
from torch.utils.flop_counter import FlopCounterMode

from greenexp.meters.flops import training_flops
from greenexp.records.costs import Part


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("freeze", [(), (Part.EMBEDDINGS,)], ids=["all", "frozen embeddings"])
@pytest.mark.parametrize("lengths", [(6,), (5, 9, 3)], ids=["one batch", "micro-batches"])
def test_declared_passes_equal_the_counter(case: Case, freeze, lengths, make_trial, make_batch):
    trial, batch = make_trial(case, freeze=freeze), make_batch(lengths)
    with FlopCounterMode(display=False) as counter:
        trial.run.step(trial.context(batch, case.epoch))
    shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
    passes = trial.run.passes(case.epoch, 0)
    expected = sum(training_flops(trial.model.costs(*shape), passes, frozen=freeze) for shape in shapes)
    assert expected == counter.get_total_flops() > 0
