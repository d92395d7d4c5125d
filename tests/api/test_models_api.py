"""`api.models`, and what `Sweep` has of it: examples of docstrings, numbers of the engine, errors."""

from __future__ import annotations

import doctest
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_served_models import KEPT, texts, write_sweep

import greenexp
from greenexp.api import models
from greenexp.api.engines import EngineOptions, load_served
from greenexp.api.serving import serve
from greenexp.api.sweeps import Sweep
from greenexp.errors import InputError, MissingExtraError, UnknownNameError
from greenexp.inference import EarlyExitEngine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("api") / "tiny")


@pytest.mark.parametrize(
    "documented", [models.replay, models.engine, Sweep.replay, Sweep.engine], ids=lambda made: made.__qualname__
)
def test_the_examples_of_the_docstrings_run(documented: Any, folder: Path) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    (example,) = finder.find(documented, globs={"folder": folder})
    assert example.examples
    runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


def test_a_sweep_replays_what_the_function_does(folder: Path) -> None:
    ours = greenexp.load(folder).replay(["entropy", "patience"], trials=["all"])
    theirs = models.replay(folder, policies=["entropy", "patience"], trials=["all"])
    for name, frame in theirs.tables.items():
        assert frame.equals(ours[name])
    assert set(ours["trials"]["trial"]) == set(KEPT)
    assert set(ours["points"]["policy"]) == {"entropy", "patience"}


def test_the_chosen_thresholds_can_be_given_to_the_engine(folder: Path) -> None:
    """Layers / mean layers of the engine over the dev texts are those of the replay."""
    rows = models.replay(folder, policies=["max_probability"])["chosen"].query("policy == 'max_probability'")
    row = rows[rows["target"] == 1.25].iloc[0]
    engine = models.engine(folder, policy=row["setting"])
    answers = engine.answer(engine.encode(texts(300)), 50)
    assert 3 * 300 / sum(one.layer for one in answers) == pytest.approx(row["dev_speed_up"], abs=0.005)


def test_dev_scores_stand_beside_their_baselines(folder: Path) -> None:
    served = load_served(folder, EngineOptions(policy="max_probability:0"))
    dev = served.dev
    assert dev is not None
    assert (dev.metric, dev.examples) == ("accuracy", 300)
    assert dev.last_exit == pytest.approx(0.8), "a fifth of the labels is not what the last exit says"
    assert dev.policy < dev.last_exit
    assert dev.majority_share is not None
    assert 0.5 <= dev.majority_share < 1
    last = load_served(folder, EngineOptions(policy="static")).dev
    assert last is not None
    assert last.policy == last.last_exit


def test_a_model_alone_has_no_dev_scores(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    (folder / "models" / KEPT[0]).rename(alone)
    try:
        assert load_served(alone, EngineOptions()).dev is None
        assert isinstance(models.engine(alone), EarlyExitEngine)
    finally:
        alone.rename(folder / "models" / KEPT[0])


def test_damaged_dev_logits_cost_the_baselines_alone(folder: Path, tmp_path: Path) -> None:
    sweep = Path(shutil.copytree(folder, tmp_path / "sweep"))
    for file in (sweep / "logits").glob("*.npz"):
        file.write_bytes(b"PK no")
    assert load_served(sweep, EngineOptions()).dev is None
    shutil.rmtree(sweep / "logits")
    assert load_served(sweep, EngineOptions()).dev is None


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"policy": "entropi"}, UnknownNameError),
        ({"policy": {"name": "entropy", "normalized": True}}, InputError),
        ({"policy": "max_probability:0.5", "speed_up": 2.0}, InputError),
        ({"speed_up": 50.0}, InputError),
        ({"trial": "c009"}, UnknownNameError),
        ({"check_every": 0}, InputError),
    ],
)
def test_what_cannot_be_is_an_input_error(folder: Path, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        greenexp.load(folder).engine(**options)


@pytest.mark.parametrize("use", [models.engine, models.bench, models.submit, serve], ids=lambda made: made.__qualname__)
def test_without_the_extra_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], object]
) -> None:
    monkeypatch.setattr("greenexp.extras.find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=r"greenexp\[train\]"):
        use(folder)


def test_an_address_has_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="MLflow address"):
        Sweep("sqlite:///absent.db").engine()
