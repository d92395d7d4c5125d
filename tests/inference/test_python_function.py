"""A model as MLflow's python function: what goes in and what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from served_models import a_serving, shared_model

from greenexp.errors import InputError
from greenexp.inference.engine import EarlyExitEngine
from greenexp.inference.python_function import COLUMNS, _load_pyfunc, texts_of
from greenexp.model import save_model

TEXTS = ["never was a story", "woe", "more of this than romeo"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("model")
    save_model(shared_model(), target, a_serving())
    return target


def test_it_answers_as_the_engine_does(folder: Path) -> None:
    engine = EarlyExitEngine.load(folder, "max_probability:0.6")
    found = _load_pyfunc(str(folder), {"policy": "max_probability:0.6"}).predict(TEXTS)
    answers = engine.answer(engine.encode(TEXTS), 8)
    assert tuple(found.columns) == COLUMNS
    assert found["label"].tolist() == [answer.label for answer in answers]
    assert found["exit"].tolist() == [answer.exit for answer in answers]
    assert found["layers"].tolist() == [answer.layer for answer in answers]
    assert found["speed_up"].tolist() == [6 / answer.layer for answer in answers]
    assert found["probability"].tolist() == pytest.approx([answer.confidence for answer in answers])


def test_the_policy_is_that_of_the_configuration(folder: Path) -> None:
    first = _load_pyfunc(str(folder), {"policy": "max_probability:0.0"}).predict(TEXTS)
    last = _load_pyfunc(str(folder), {"policy": "static"}).predict(TEXTS)
    assert set(first["exit"]) == {1}
    assert set(last["exit"]) == {6}
    assert len(_load_pyfunc(str(folder)).predict(TEXTS)) == len(TEXTS)


def test_no_texts_are_no_answers(folder: Path) -> None:
    empty = _load_pyfunc(str(folder)).predict(pd.DataFrame({"text": []}))
    assert (tuple(empty.columns), len(empty)) == (COLUMNS, 0)


@pytest.mark.parametrize(
    ("given", "pairs", "expected"),
    [
        (["a", "b"], False, ["a", "b"]),
        (np.array(["a", "b"]), False, ["a", "b"]),
        ([{"text": "a"}], False, ["a"]),
        ([{"text": np.array("a")}], False, ["a"]),
        ([{"text": "a", "text_pair": "b"}], True, [("a", "b")]),
        (pd.DataFrame({"text": ["a", "b"]}), False, ["a", "b"]),
        (pd.DataFrame({0: ["a", "b"]}), False, ["a", "b"]),
        (pd.DataFrame({"id": [1], "text": ["a"]}), False, ["a"]),
        ({"text": np.array(["a", "b"])}, False, ["a", "b"]),
        (pd.DataFrame({"text": ["a"], "text_pair": ["b"]}), True, [("a", "b")]),
    ],
)
def test_texts_of_every_kind_of_input(given: object, pairs: bool, expected: list[object]) -> None:
    assert texts_of(given, pairs=pairs) == expected


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="text_pair"):
        texts_of(pd.DataFrame({"text": ["a"]}), pairs=True)
    with pytest.raises(InputError, match=r"text .*it has: id"):
        texts_of(pd.DataFrame({"id": ["17"]}), pairs=False)


@pytest.mark.parametrize(
    ("given", "pairs", "facts"),
    [
        ([""], False, "row 1 of 1: 'text' is empty"),
        (np.array(["a", " "]), False, "row 2 of 2: 'text' is empty"),
        (pd.DataFrame({"text": ["a"], "text_pair": ["\n"]}), True, "row 1 of 1: 'text_pair' is empty"),
        ([("", "b")], True, "'text' is empty"),
        (pd.DataFrame({"text": ["a"], "text_pair": ["b"]}), False, "single texts; received the column text_pair"),
        ([{"text": "a", "text_pair": "b"}], False, "single texts; received the column text_pair"),
        ([{"txet": "a"}], False, "lacks the column text"),
    ],
)
def test_what_is_no_text_of_the_model_is_refused(given: object, pairs: bool, facts: str) -> None:
    with pytest.raises(InputError, match=facts):
        texts_of(given, pairs=pairs)


@pytest.mark.parametrize("given", [[None], [1], [["a", "b"]], np.array([True]), pd.DataFrame({"text": [None, "a"]})])
def test_other_values_than_texts_are_refused(given: object, folder: Path) -> None:
    with pytest.raises(InputError, match="single texts; received"):
        _load_pyfunc(str(folder)).predict(given)


@pytest.mark.slow
def test_mlflow_loads_what_was_logged(folder: Path, tmp_path: Path) -> None:
    """With the files as they are laid out for MLflow: its own loader and its checks of input and output."""
    import warnings
    from types import SimpleNamespace
    from typing import Any, cast

    from greenexp.tracking.chosen_model import KeptModel, _lay_out

    trial = cast(Any, SimpleNamespace(spec=SimpleNamespace(trial="c000")))
    _lay_out(tmp_path, KeptModel(trial, folder, "0"), "m-1", "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        loaded = mlflow.pyfunc.load_model(str(tmp_path))
        numbered = pd.DataFrame({"id": ["1", "2", "3"], "text": TEXTS})
        for given in (TEXTS, pd.DataFrame({"text": TEXTS}), numbered):
            found = loaded.predict(given)
            assert found.equals(_load_pyfunc(str(folder), {"policy": "max_probability:0.9"}).predict(TEXTS))
        assert len(loaded.predict([])) == len(loaded.predict(pd.DataFrame({"text": []}))) == 0
        assert [column.name for column in loaded.metadata.signature.outputs] == list(COLUMNS)
    assert json.loads((tmp_path / "data" / "greenexp.json").read_text())["serving"]
