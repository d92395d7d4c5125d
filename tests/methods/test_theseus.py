"""BERT-of-Theseus: the mixed model, and when modules are replaced."""

from __future__ import annotations

from pathlib import Path

import torch
from taught_trials import TAUGHT, trial


def test_the_mixed_model_of_theseus(teacher: Path, make_batch) -> None:
    found, batch = trial(TAUGHT[4], teacher), make_batch((6,))
    tokens = batch[0].inputs
    for kept, layers in (((1,), "tts"), ((2,), "stt"), ((), "ss"), ((1, 2), "tttt")):
        state, places = found.model.backbone.embed(tokens), {"s": 0, "t": 0}
        for who in layers:
            backbone = found.model.backbone if who == "s" else found.run.teacher.backbone
            index = places[who] if who == "s" or layers != "stt" else places["t"] + 2
            state = backbone.layer(index if layers != "tts" or who == "t" else 1, state)
            places[who] += 1
        mixed = found.run.mixed(found.context(batch), batch[0], kept)
        assert torch.equal(mixed[0], found.model.exit_logits(2, state)), kept


def test_theseus_replaces_more_and_more(teacher: Path) -> None:
    linear = trial({**TAUGHT[4], "schedule": "linear", "rate": 0.25, "until": 0.5}, teacher).run
    assert [linear.rate(step) for step in (0, 10, 20, 39)] == [0.25, 0.625, 1.0, 1.0]
    constant = trial({**TAUGHT[4], "until": 0.5}, teacher).run
    assert [constant.rate(step) for step in (0, 19, 20)] == [0.5, 0.5, 1.0]
    assert {constant.kept(step) for step in range(20)} == {(), (1,), (2,), (1, 2)}
    assert {constant.kept(step) for step in range(20, 40)} == {()}
