"""BERT-PKD: its loss written out, and which layers it pairs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from taught_trials import trial

from greenexp.errors import InputError
from greenexp.methods.pkd import paired_layers
from greenexp.objectives import exit_losses
from greenexp.objectives.knowledge import patient_loss, soft_targets


def test_pkd_is_its_formula(teacher: Path, make_batch) -> None:
    found, batch = trial({"name": "pkd", "layers": 3, "beta": 7.0}, teacher), make_batch((6,))
    total, tokens, seen = found.run.step(found.context(batch)), batch[0].inputs, {}
    taught = found.run.teacher.outputs(tokens, (4,), visit=lambda layer, state: seen.setdefault(layer, state.hidden))
    own: dict[int, torch.Tensor] = {}
    logits = found.model.outputs(tokens, (3,), visit=lambda layer, state: own.setdefault(layer, state.hidden)).logits[0]
    states = [torch.stack((hidden[a][:, 0], hidden[b][:, 0]), 1) for hidden, a, b in ((own, 1, 2), (seen, 1, 3))]
    expected = (
        0.5 * exit_losses(logits[None], batch[0].labels).mean()
        + 0.5 * soft_targets(logits[None], taught.logits[0], 10.0).mean()
        + 7.0 * patient_loss(states[0], states[1])
    )
    found.check_step(total, expected)


def test_the_layers_that_pkd_pairs() -> None:
    assert [his for _, his in paired_layers(6, 12, "skip")] == [2, 4, 6, 8, 10]
    assert [his for _, his in paired_layers(6, 12, "last")] == [7, 8, 9, 10, 11]
    with pytest.raises(InputError, match="2 to 4"):
        paired_layers(1, 4, "skip")
