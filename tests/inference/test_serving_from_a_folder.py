"""From a folder to answers: texts read as in training, and folders that cannot be trusted refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served_models import a_serving, made_model

from greenexp.errors import CheckpointError, InputError
from greenexp.inference import EarlyExitEngine, Tokens
from greenexp.model import load_serving, save_model
from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.replay import exits_taken
from greenexp.replay.logits import read_logits
from greenexp.tasks.data import Split, TaskData
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun

TEXTS = ("never was a story of more woe", "than this of juliet", "and her romeo", "woe", "Romeo! ROMEO, unheard of")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model saved with all it takes to serve it."""
    save_model(made_model(), tmp_path / "saved", a_serving(trained_exits=(2, 4, 6)))
    return tmp_path / "saved"


def a_task(pairs: bool) -> TaskData:
    texts = np.array(TEXTS * 4, dtype=object)
    labels = np.arange(len(texts)) % 3
    split = Split(texts, labels, pairs=texts[::-1].copy() if pairs else None)
    return TaskData(train=split, dev=split, test=None, num_labels=3, label_names=("a", "b", "c"), metrics=("accuracy",))


def trained(task: TokenisedTask, out: Path) -> Any:
    """One epoch of a trial that keeps model and logits; its record."""
    settings = {
        "task": {"name": "made-up"},
        "backbone": {"name": "bert", "layers": 3, "hidden": 16, "heads": 2, "max_positions": 20},
        "exits": {"layers": "all", "head": {"name": "linear"}},
        "method": {"name": "branchynet", "weights": [0, 1, 1]},
        "training": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-2, "precision": "fp32"},
        "metric": {"name": "accuracy", "exit": "mean", "mode": "max"},
    }
    trial = TrialSpec("c000-i0-o0", "c000", 0, Settings.from_json(settings), {}, TrialSeeds(0, 0))
    with TrialRun(trial, task, logits_folder=out / "logits", model_folder=out / "model") as run:
        (record,) = run
    return record


@pytest.mark.parametrize("pairs", [False, True])
def test_a_trained_model_answers_texts_as_it_answered_dev(tmp_path: Path, pairs: bool):
    data = a_task(pairs)
    task = tokenise(data, word_tokenizer([*TEXTS]), max_length=9)
    record = trained(task, tmp_path)
    policy = {"name": "max_probability", "threshold": 0.37}
    engine = EarlyExitEngine.load(tmp_path / "model", policy)
    assert engine.consulted == (2, 3)
    assert engine.label_names == ("a", "b", "c")
    assert load_serving(tmp_path / "model").task == "made-up"  # type: ignore[union-attr]
    texts: Any = (
        list(data.dev.texts) if data.dev.pairs is None else list(zip(data.dev.texts, data.dev.pairs, strict=True))
    )
    tokens = engine.encode(texts)
    spans = itertools.pairwise(task.dev.offsets)
    assert [one.ids for one in tokens] == [task.dev.ids[begin:end].tolist() for begin, end in spans]
    assert (tokens[0].type_ids is None) is not pairs
    answers = engine.answer(tokens, 4)
    stored = read_logits(tmp_path / "logits", record.dev_logits).record
    assert [answer.exit for answer in answers] == exits_taken(stored, policy).tolist()
    for place, answer in enumerate(answers):
        assert np.abs(stored.logits[list(stored.numbers).index(answer.exit), place] - answer.logits).max() < 1e-5
        assert answer.label == "abc"[int(answer.prediction)]


def test_loading(folder: Path):
    engine = EarlyExitEngine.load(folder, "static")
    assert engine.consulted == (6,)
    assert EarlyExitEngine.load(folder, "patience:1").consulted == (2, 4, 6)
    assert EarlyExitEngine.load(folder, "patience:1", exits=(2, 4)).consulted == (2, 4)
    with pytest.raises(InputError, match=r"\[1, 3\].*\[2, 4, 6\]"):
        EarlyExitEngine.load(folder, "patience:1", exits=(1, 2, 3))
    made = EarlyExitEngine(made_model(), "static", text=a_serving())
    tokens = engine.encode(["more woe", "of juliet and " * 20])
    assert [len(one.ids) for one in tokens] == [4, 12]
    assert engine.batch(tokens) == made.batch(tokens)


def test_texts_that_are_none(folder: Path):
    engine = EarlyExitEngine.load(folder, "static")
    for text, message in (
        (("one", "two"), "received 2 values"),
        (7, "received int"),
        (None, "received NoneType"),
        ("half a \ud83d pair", "not valid Unicode"),
    ):
        with pytest.raises(InputError, match=message):
            engine.encode(["woe", text])  # type: ignore[list-item]
    assert engine.one(engine.encode([""])[0]).layer == 6


def test_pairs_that_are_none(tmp_path: Path):
    save_model(made_model(), tmp_path, a_serving(pairs=True))
    engine = EarlyExitEngine.load(tmp_path, "static")
    (tokens,) = engine.encode([("more woe", "juliet")])
    assert tokens.type_ids == [0, 0, 0, 0, 1, 1]
    assert engine.encode([["more woe", "juliet"]]) == [tokens]
    for text in ("one", ("one",), ("one", 2), ("one", "two", "three")):
        with pytest.raises(InputError, match="pairs of texts"):
            engine.encode([text])  # type: ignore[list-item]
    with pytest.raises(InputError, match="need type_ids"):
        engine.one(Tokens([2, 3]))


def test_type_ids_of_a_pair_are_refused_by_a_model_of_single_texts(folder: Path):
    engine = EarlyExitEngine.load(folder, "static")
    assert engine.one(Tokens([2, 3], [0, 0])) == engine.one(Tokens([2, 3]))
    with pytest.raises(InputError, match="single texts"):
        engine.one(Tokens([2, 3], [0, 1]))


def test_a_folder_without_what_serving_needs_answers_token_ids(tmp_path: Path):
    save_model(made_model(), tmp_path)
    engine = EarlyExitEngine.load(tmp_path, "static")
    assert engine.consulted == (6,)
    assert (engine.label_names, engine.one(Tokens([3, 4])).label) == (None, None)
    with pytest.raises(InputError, match="tokenizer"):
        engine.encode(["woe"])


def test_without_a_tokenizer_the_rest_is_known(tmp_path: Path):
    save_model(made_model(), tmp_path, a_serving(tokenizer="", trained_exits=(5,)))
    engine = EarlyExitEngine.load(tmp_path, "patience")
    assert engine.consulted == (5,)
    assert engine.one(Tokens([3, 4])).label in ("good", "bad", "ugly")
    with pytest.raises(InputError, match="tokenizer"):
        engine.encode(["woe"])


def change(name: str, value: Any) -> Callable[[Path], None]:
    """Change the manifest's section `serving`; None: leave `name` out."""

    def apply(folder: Path) -> None:
        file = folder / "greenexp.json"
        manifest = json.loads(file.read_text())
        manifest["serving"][name] = value
        if value is None:
            del manifest["serving"][name]
        file.write_text(json.dumps(manifest))

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), r"tokenizer\.json is missing"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), r"tokenizer\.json is damaged"),
        (change("pad_id", "none"), "how to serve"),
        (change("pad_id", None), "how to serve"),
        (change("wings", 2), "how to serve"),
        (change("label_names", 3), "how to serve"),
    ],
)
def test_damaged_folders_are_refused(folder: Path, damage: Callable[[Path], None], message: str):
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        EarlyExitEngine.load(folder, "static")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"label_names": ("good", "bad")}, "2 label.*3"), ({"pad_id": 60}, "padding id 60")],
)
def test_names_and_padding_that_do_not_fit(changes: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        EarlyExitEngine(made_model(), "static", text=a_serving(**changes))


def test_a_tokenizer_that_is_none(tmp_path: Path):
    save_model(made_model(), tmp_path, a_serving(tokenizer="{}"))
    with pytest.raises(CheckpointError, match="tokenizer"):
        EarlyExitEngine.load(tmp_path, "static")
