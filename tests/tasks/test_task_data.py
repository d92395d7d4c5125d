"""What every task's data must satisfy, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_benchmarks import write_elue, write_glue

from greenexp.errors import InputError
from greenexp.tasks import TASKS, Split, TaskData
from greenexp.tasks.metrics import find_metric
from greenexp.tasks.tokens import tokenise, word_tokenizer

ROWS = [{"text": f"text number {i}", "label": "ab"[i % 2]} for i in range(40)]
CASES: dict[str, dict[str, object]] = {
    "clauses": {"train": 40, "dev": 20, "test": 20},
    "corpus": {"files": "documents.txt", "dev": 0.3},
    "csv": {"train": "rows.csv", "dev": 0.3},
    "elue": {"task": "SST-2", "folder": "elue"},
    "glue": {"task": "RTE", "folder": "glue"},
    "hub": {"path": "dataset", "dev": "train"},
    "jsonl": {"train": "dataset/train.jsonl", "dev": 0.3},
    "movie-snippets": {"train": 40, "dev": 20, "test": 20},
    "tsv": {"train": "rows.tsv", "dev": 0.3},
}


IMAGES: dict[str, dict[str, object]] = {
    "cifar10": {"folder": "cifar10", "dev": 20},
    "cifar100": {"folder": "cifar100", "dev": 100},
    "shapes": {"train": 40, "dev": 20, "test": 20},
}
"""Tasks that give images; what is read of them is in `test_pixels`."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, movie_snippets: Path) -> None:
    """What the cases read, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        lines = (delimiter.join(row) for row in (("text", "label"), *(tuple(row.values()) for row in ROWS)))
        Path(f"rows{suffix}").write_text("\n".join(lines) + "\n")
    Path("documents.txt").write_text("\n\n".join(f"text {i} begins.\nText {i} ends." for i in range(40)))
    write_elue(Path("elue"))
    write_glue(Path("glue"))
    Path("dataset").mkdir()
    Path("dataset/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def test_every_registered_task_has_a_case() -> None:
    assert set(TASKS) >= set(CASES)
    assert {name for name in TASKS if TASKS.origin(name) == "greenexp"} == set(CASES) | set(IMAGES)


@pytest.mark.parametrize("name", CASES)
def test_every_task_loads_and_tokenises(name: str, files: None) -> None:
    plugin = TASKS[name]
    assert dataclasses.is_dataclass(plugin)
    assert plugin.__doc__
    data = plugin(**CASES[name]).load()  # type: ignore[call-arg]  # each task has fields of its own
    assert data.description
    assert data.metrics
    for metric in data.metrics:
        find_metric(metric, is_regression=data.num_labels == 1)
    tokens = tokenise(data, word_tokenizer(data.train.texts, masks=True), max_length=32)
    assert len(tokens.train) == len(data.train)
    assert tokens.description == data.description


@pytest.mark.parametrize("name", IMAGES)
def test_every_task_of_images_has_a_card(name: str) -> None:
    plugin: Any = TASKS[name]
    assert plugin.__doc__
    assert plugin(**IMAGES[name])


def split(size: int = 3, **changes: object) -> Split:
    fields = {"texts": [f"text {i}" for i in range(size)], "labels": np.arange(size) % 2} | changes
    return Split(**fields)  # type: ignore[arg-type]


def task(train: Split, **changes: object) -> TaskData:
    fields = {"train": train, "dev": split(), "test": None, "num_labels": 2, "label_names": ("a", "b")} | changes
    return TaskData(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.array([0, 1])}, "labels: 2 values for 3 texts"),
        ({"pairs": ["a"]}, "pairs: 1 values for 3 texts"),
        ({"columns": {"level": np.zeros(4)}}, "column 'level': 4 values for 3 texts"),
        ({"labels": np.zeros(3, dtype=np.int32)}, "labels are int32"),
        ({"labels": np.array([0, np.nan, 1], dtype=np.float32)}, "not finite"),
    ],
)
def test_a_split_checks_itself(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(**changes)


@pytest.mark.parametrize(
    ("train", "changes", "message"),
    [
        (split(0), {}, "train"),
        (split(labels=np.array([0, 1, 2])), {}, r"0\.\.2.*0\.\.1"),
        (split(), {"num_labels": 1}, "train.*int64"),
        (split(pairs=["a", "b", "c"]), {}, "dev and train"),
    ],
)
def test_a_task_checks_its_splits(train: Split, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        task(train, **changes)


def test_splits_by_name() -> None:
    assert list(task(split()).splits) == ["train", "dev"]
    assert list(task(split(), test=split()).splits) == ["train", "dev", "test"]
