"""The tasks of ELUE: made folders in the benchmark's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_benchmarks import DEV, TEST, TRAIN, write_elue

from greenexp.errors import InputError
from greenexp.tasks.elue import LAYOUTS, Elue

EXPECTED: dict[str, tuple[tuple[str, ...], tuple[str, ...], list[float]]] = {
    "SST-2": (("negative", "positive"), ("accuracy",), [0, 1, 0]),
    "IMDb": (("negative", "positive"), ("accuracy",), [0, 1, 0]),
    "SNLI": (("entailment", "neutral", "contradiction"), ("accuracy",), [0, 1, 2]),
    "SciTail": (("neutral", "entailment"), ("accuracy",), [0, 1, 0]),
    "MRPC": (("not_equivalent", "equivalent"), ("accuracy", "f1"), [0, 1, 0]),
    "STS-B": ((), ("pearson", "spearman"), [5, 1.25, 0]),
}


@pytest.mark.parametrize("task", LAYOUTS)
def test_every_task_is_read_as_the_benchmark_has_it(tmp_path: Path, task: str) -> None:
    plugin = Elue(task=task, folder=str(write_elue(tmp_path)))  # type: ignore[arg-type]
    names, metrics, labels = EXPECTED[task]
    data = plugin.load()
    assert (data.label_names, data.metrics) == (names, metrics)
    assert data.test is not None
    assert (len(data.train), len(data.dev), len(data.test)) == (TRAIN, DEV, TEST)
    assert data.test.labels[:3].tolist() == labels
    (split,) = plugin.unlabelled().values()
    assert list(split.texts) == list(data.test.texts)
    assert split.pairs == data.test.pairs
    assert (split.form.file, split.form.header) == (f"{task}.tsv", ("index", "pred"))
    assert tuple(split.form.written) == names


@pytest.mark.parametrize("task", ["SciTail", "SNLI"])
def test_an_absent_training_set_is_named(tmp_path: Path, task: str) -> None:
    (write_elue(tmp_path) / task / "train.tsv").unlink()
    with pytest.raises(InputError, match=rf"{task}/train\.tsv: .*HashEE"):
        Elue(task=task, folder=str(tmp_path)).load()  # type: ignore[arg-type]
    found = Elue(task=task, folder=str(tmp_path), train=str(tmp_path / task / "dev.tsv")).load()  # type: ignore[arg-type]
    assert len(found.train) == DEV
