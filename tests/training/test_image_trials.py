"""Trials on images: every part of a trial, the methods of the literature, a pause anywhere, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import RESNET, image_model, image_trial, tiny_images
from torch.utils.flop_counter import FlopCounterMode

from greenexp.errors import FieldError, InputError
from greenexp.inference import EarlyExitEngine, Rebatcher
from greenexp.inference.answers import Image
from greenexp.methods import METHODS
from greenexp.plan.data import prepare_data
from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import EpochRecord
from greenexp.records.settings import Settings
from greenexp.replay import exits_taken
from greenexp.replay.logits import read_logits
from greenexp.tasks.pixels import PixelTask
from greenexp.training import TrialRun

Numbers = Callable[[EpochRecord], dict[str, Any]]
METHODS_TRAINED: dict[str, dict[str, Any]] = {
    "pabee": {},
    "leebert": {"exits": {"layers": "all"}},
    "dbt": {},
    "shallow_deep": {"exits": {"head": {"name": "mixed_pool"}}},
    "ic_only": {"method": {"name": "shallow_deep", "mode": "ic_only"}, "exits": {"head": {"name": "mixed_pool"}}},
    "finetune": {},
    "romebert": {},
    "ensemble": {},
    "elasticbert": {},
}

TAUGHT = ("pkd", "tinybert", "theseus")
MATRIX_LOSSES = ("leebert", "dbt", "romebert", "ensemble")


@pytest.fixture(scope="module")
def data() -> PixelTask:
    return tiny_images()


@pytest.mark.parametrize("name", METHODS_TRAINED)
def test_a_method_trains_and_costs_what_was_planned(name: str, data: PixelTask) -> None:
    sections = {"method": {"name": name}, **METHODS_TRAINED[name]}
    trial = image_trial(**sections)
    planned = epoch_flops(trial, data)
    with TrialRun(trial, data) as run, FlopCounterMode(display=False) as counter:
        records = list(run)
    assert [record.costs.train_flops for record in records] == list(planned.training)
    assert [record.costs.eval_flops for record in records] == list(planned.evaluation)
    # Some losses multiply matrices of classes and exits, which is not counted as work of the model.
    excess = counter.get_total_flops() - sum(planned.training) - sum(planned.evaluation)
    assert 0 <= excess <= (2e-3 * sum(planned.training) if name in MATRIX_LOSSES else 0)
    assert all(np.isfinite(record.train_loss) for record in records)


@pytest.mark.parametrize("method", ["leebert", "dbt", "ic_only"])
def test_a_pause_between_two_steps_changes_nothing(
    method: str, data: PixelTask, numbers: Numbers, folder: Path
) -> None:
    trial = image_trial(**{"method": {"name": method}, **METHODS_TRAINED[method]})
    with TrialRun(trial, data) as run:
        whole = [numbers(record) for record in run]
    found = []
    asked = iter(range(1000))
    with TrialRun(trial, data) as run:
        assert run.train_on(lambda: next(asked) == 0) is None  # within the first epoch
        run.save(folder)
    with TrialRun(trial, data) as run:
        run.load(folder)
        found.append(numbers(next(run)))
        run.save(folder)
    with TrialRun(trial, data) as run:
        run.load(folder)
        found += [numbers(record) for record in run]
    assert found == whole


def test_learning_shows(data: PixelTask) -> None:
    """Without augmentation some epochs tell the shapes of the training set apart, far above one in four."""
    task = PixelTask(**{**vars(data), "dev": data.train, "augmentation": None})
    with TrialRun(image_trial(training={"epochs": 15}, backbone={**RESNET, "width": 8}), task) as run:
        assert list(run)[-1].exits[-1].metrics["accuracy"] > 0.7


def test_the_engine_leaves_where_the_replay_does(data: PixelTask, tmp_path: Path) -> None:
    trial = image_trial(exits={"head": {"name": "mixed_pool"}})
    with TrialRun(trial, data, logits_folder=tmp_path / "logits", model_folder=tmp_path / "model") as run:
        stored = [record.dev_logits for record in run if record.dev_logits is not None][-1]
    record = read_logits(tmp_path / "logits", stored).record
    examples = [Image(image) for image in data.dev.images(np.arange(len(data.dev)))]
    middle = float(np.median(_confidence(record.logits[0])))
    for policy in (f"max_probability:{middle:.6f}", "patience:1", "static:2"):
        engine = EarlyExitEngine.load(tmp_path / "model", policy)
        for answers in (engine.answer(examples, 7), [engine.one(example) for example in examples]):
            assert [answer.exit for answer in answers] == exits_taken(record, policy).tolist()
        with Rebatcher(engine, 4, 0.01) as pool:
            waiting = [pool.submit(example) for example in examples]
            assert [one.result().exit for one in waiting] == [answer.exit for answer in answers]
        if policy.startswith("max"):
            assert len({answer.exit for answer in answers}) > 1
    assert answers[0].label in data.label_names


def _confidence(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).max(axis=-1)


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 16, 16)), np.zeros((1, 16, 16), np.uint8), np.zeros((3, 0, 0), np.uint8)]
)
def test_the_engine_refuses_what_is_no_image(wrong: Any) -> None:
    engine = EarlyExitEngine(image_model(), "patience:1")
    with pytest.raises(InputError, match="image"):
        engine.one(Image(wrong))
    with pytest.raises(InputError, match="images"):
        engine.encode(["a text"])


def fields(**changed: Any) -> Settings:
    return Settings.from_json({**image_trial().settings.to_json(), **changed})


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"task": {"name": "clauses", "train": 40, "dev": 20, "test": 20}}, "backbone.name"),
        ({"backbone": {"name": "bert", "layers": 2}}, "backbone.name"),
        ({"compression": {"name": "magnitude_pruning", "share": 0.5}}, "compression.name"),
        *(
            (
                {"method": {"name": name, **({"teacher": "x"} if name in {"pkd", "tinybert", "theseus"} else {})}},
                "method.name",
            )
            for name in METHODS
            if METHODS[name].text_only
        ),
    ],
)
def test_what_is_of_texts_alone_is_refused_before_anything_trains(sections: dict[str, Any], place: str) -> None:
    with pytest.raises(FieldError) as error:
        prepare_data(fields(**sections))
    assert error.value.path == place
