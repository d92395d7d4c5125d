"""Datasets of the hub: from a local folder, and from a fake hub on this machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from told import tells

from greenexp.errors import InputError
from greenexp.tasks.hub import Hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset with named classes, in pairs, whose test split is not labelled."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features(
        {
            "one": Value("string"),
            "two": Value("string"),
            "label": ClassLabel(names=["yes", "no"]),
            "score": Value("float32"),
        }
    )
    sizes = {"train": 40, "validation": 6, "test": 4}
    found = {
        name: Dataset.from_dict(
            {
                "one": [f"{name} one {i}" for i in range(size)],
                "two": [f"{name} two {i}" for i in range(size)],
                "label": [-1 if name == "test" else i % 2 for i in range(size)],
                "score": [0.5 * i for i in range(size)],
            },
            features=features,
        )
        for name, size in sizes.items()
    }
    for name, split in DatasetDict(found).items():
        split.to_parquet(tmp_path / "dataset" / f"{name}-00000-of-00001.parquet")
    return tmp_path / "dataset"


def load(path: Path | str, **fields: Any) -> Any:
    return Hub(path=str(path), **fields).load()


def test_a_local_folder_with_pairs_and_named_classes(folder: Path) -> None:
    data = load(folder, text="one", pair="two")
    assert data.label_names == ("yes", "no")
    assert (len(data.train), len(data.dev), data.test) == (40, 6, None)
    assert data.train.texts[3] == "train one 3"
    assert data.train.pairs[3] == "train two 3"
    assert data.train.labels[:4].tolist() == [0, 1, 0, 1]
    assert tells(data.description, "train 40 … dev 6")


def test_classes_can_be_renamed_and_splits_cut(folder: Path) -> None:
    data = load(folder, text="one", labels={"no": "negative", "yes": "positive"}, dev=0.3, test="validation")
    assert data.label_names == ("negative", "positive")
    assert data.test.labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert len(data.train) + len(data.dev) == 40


def test_values_are_a_regression(folder: Path) -> None:
    assert load(folder, text="one", label="score").num_labels == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dev": "valid"}, "'valid'.*train, validation, test"),
        ({"text": "on"}, "column 'on'"),
        ({"test": "test"}, "test:0: label '-1"),
        ({"subset": "other"}, "cannot be read"),
    ],
)
def test_what_is_not_there_is_refused(folder: Path, fields: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(folder, **{"text": "one", **fields})


def test_a_dataset_on_the_hub_is_pinned() -> None:
    with pytest.raises(InputError, match="`revision`"):
        load("owner/name")
    with pytest.raises(InputError, match="40 hexadecimal digits"):
        load("owner/name", revision="main")


def test_a_hub_that_cannot_be_reached_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        with pytest.raises(InputError, match=r"'owner/name'.*reached") as caught:
            load("owner/name", revision=COMMIT)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
