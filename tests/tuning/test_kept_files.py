"""What a power cut took of models and logits is found whenever the sweep is opened again."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stand_ins import EPOCHS, a_record
from told import tells

from greenexp.model import build_model, save_model
from greenexp.records.at_rest import FOLDER
from greenexp.records.settings import ModelSettings
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.kept_files import lost_files
from greenexp.tuning.models import model_folder

MODEL = {"backbone": {"name": "bert", "layers": 1, "hidden": 8, "heads": 2, "max_positions": 8}, "exits": {}}
BEST, OTHER = "c001-i0-o0", "c000-i0-o0"


@pytest.fixture
def ended(opened: Callable[..., Conductor], tmp_path: Path) -> Conductor:
    """Two trials, both with logits, the better one with its model."""
    conductor = opened(scheduler={"name": "fifo"}, configurations=2, seeds=1)
    for number, name in enumerate((OTHER, BEST)):
        spec = conductor.state.trials[name].spec
        values = np.full((1, 4, 2), number, np.float32)
        stored = StoredLogits.of(values, np.zeros(4, np.int64), np.ones(4), [1])
        logits = write_logits(tmp_path / FOLDER, stored)
        conductor.report(name, 1, dataclasses.replace(a_record(spec, EPOCHS), dev_logits=logits))
    model = build_model(ModelSettings.from_json(MODEL), 2, vocab_size=9, pad_id=0, seed=0)
    save_model(model, model_folder(tmp_path, BEST))
    return conductor


def lost(conductor: Conductor, folder: Path) -> dict[str, str]:
    return dict(lost_files(conductor.state, folder))


def test_nothing_is_said_of_what_is_there(ended: Conductor, tmp_path: Path) -> None:
    assert lost(ended, tmp_path) == {}, "the model of a configuration that was not chosen is not missed"


def test_a_model_that_was_cut_short_is_named(ended: Conductor, tmp_path: Path) -> None:
    os.truncate(model_folder(tmp_path, BEST) / "model.safetensors", 100)
    found = lost(ended, tmp_path)
    assert list(found) == [BEST]
    assert tells(found[BEST], "model.safetensors")


@pytest.mark.parametrize("name", [BEST, OTHER])
@pytest.mark.parametrize("size", [None, 0, 40])
def test_logits_that_are_gone_or_cut_short_are_named(
    ended: Conductor, tmp_path: Path, name: str, size: int | None
) -> None:
    logits = ended.state.trials[name].records[EPOCHS].dev_logits
    path = tmp_path / FOLDER / f"{logits}.npz"
    if size is None:
        path.unlink()
    else:
        os.truncate(path, size)
    found = lost(ended, tmp_path)
    assert list(found) == [name]
    assert tells(found[name], str(logits)[:16])
