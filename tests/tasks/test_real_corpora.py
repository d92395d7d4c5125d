"""The corpora themselves, which nobody may pass on: these tests need them beside the repository.

Every layout is tested on made folders in the files of the single tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenexp.plan.fields import check_plugin
from greenexp.tasks import TASKS
from greenexp.tasks.elue import Elue
from greenexp.tasks.glue import Glue


def counts(provenance: Path) -> dict[str, list[int | None]]:
    """Task -> rows of train, dev and test as PROVENANCE.md says; None: not there."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in provenance.read_text().splitlines()]
    return {row[0]: [int(c) if c.isdigit() else None for c in row[1:4]] for row in rows if len(row) == 5}


@pytest.mark.parametrize("task", ["SST-2", "MRPC", "STS-B", "SciTail", "SNLI"])
def test_elue_has_the_rows_it_should(shared: Callable[[str], Path], task: str) -> None:
    folder = shared("data/elue")
    train, dev, test = counts(folder / "PROVENANCE.md")[task]
    other = str(folder / task / "dev.tsv") if train is None else None
    plugin = Elue(task=task, folder=str(folder), train=other)  # type: ignore[arg-type]
    data = plugin.load()
    assert data.test is not None
    assert [len(data.train), len(data.dev), len(data.test)] == [dev if train is None else train, dev, test]
    (split,) = plugin.unlabelled().values()
    assert len(split) == test


def test_snlis_labels_mean_what_they_are_called(shared: Callable[[str], Path]) -> None:
    """The one pair of SNLI's first test rows of which each label is plain to see."""
    folder = shared("data/elue")
    data = Elue(task="SNLI", folder=str(folder), train=str(folder / "SNLI/dev.tsv"), train_size=30).load()
    assert data.test is not None
    assert data.test.pairs is not None
    pairs = dict(zip(data.test.pairs[:3], data.test.labels[:3].tolist(), strict=True))
    assert data.label_names[pairs["The church is filled with song ."]] == "entailment"
    assert data.label_names[pairs["The church has cracks in the ceiling ."]] == "neutral"


@pytest.mark.parametrize("task", ["CoLA", "SST-2", "MRPC", "STS-B", "RTE", "QNLI"])
def test_glue_has_the_rows_it_should(shared: Callable[[str], Path], task: str) -> None:
    folder = shared("data/glue")
    train, dev, test = counts(folder / "PROVENANCE.md")[task]
    other = str(folder / task / "dev.tsv") if train is None else None
    plugin = Glue(task=task, folder=str(folder), train=other)  # type: ignore[arg-type]
    data = plugin.load()
    assert [len(data.train), len(data.dev)] == [dev if train is None else train, dev]
    assert [len(split) for split in plugin.unlabelled().values()] == [test]


def test_microsofts_test_set_can_be_the_test_split(shared: Callable[[str], Path]) -> None:
    folder = shared("data/glue")
    test = str(folder / "MRPC/msr_paraphrase_test.txt")
    data = Glue(task="MRPC", folder=str(folder), test=test).load()
    assert data.test is not None
    assert (len(data.test), int(data.test.labels.sum())) == (1725, 1147)


REAL: dict[str, tuple[dict[str, Any], tuple[int, int, int | None], int]] = {
    "elue/SST-2": ({"text": "sentence", "test": "test_full.tsv"}, (8544, 1101, 2210), 2),
    "elue/MRPC": ({"text": "#1 String", "pair": "#2 String", "label": "Quality"}, (3668, 408, None), 2),
    "elue/STS-B": (
        {"text": "sentence1", "pair": "sentence2", "test": "test_full.tsv"}, (5749, 1500, 1379), 1,
    ),
    "glue/CoLA": ({"header": False, "text": 3, "label": 1}, (8551, 1043, None), 2),
    "glue/RTE": ({"text": "sentence1", "pair": "sentence2"}, (2490, 277, None), 2),
    "glue/STS-B": ({"text": "sentence1", "pair": "sentence2", "label": "score"}, (5749, 1500, None), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_a_corpus_is_read_by_configuration_alone(name: str, shared: Callable[[str], Path]) -> None:
    fields, sizes, num_labels = REAL[name]
    paths = {split: str(shared(f"data/{name}/{split}.tsv")) for split in ("train", "dev")}
    if "test" in fields:
        fields = {**fields, "test": str(shared(f"data/{name}/{fields['test']}"))}
    checked = check_plugin("task", {"name": "tsv", **paths, **fields}, TASKS)
    assert checked.settings is not None, checked.problems
    data = TASKS["tsv"](**{name: value for name, value in checked.settings.items() if name != "name"}).load()
    assert (
        tuple(len(data.splits[split]) if split in data.splits else None for split in ("train", "dev", "test")) == sizes
    )
    assert data.num_labels == num_labels
    assert (data.train.pairs is not None) == ("pair" in fields)
