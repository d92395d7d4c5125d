"""The tasks of GLUE: made folders in the official layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_benchmarks import DEV, GLUE, TEST, TRAIN, write_glue

from greenexp.errors import InputError
from greenexp.plan.fields import check_plugin
from greenexp.tasks import TASKS, TaskData
from greenexp.tasks.glue import LAYOUTS, Glue
from greenexp.tasks.unlabelled import HasUnlabelled

ENTAILMENT = ("entailment", "not_entailment")
PARAPHRASE = ("accuracy", "f1")
EXPECTED: dict[str, tuple[tuple[str, ...], tuple[str, ...], list[float]]] = {
    "CoLA": (("unacceptable", "acceptable"), ("matthews",), [0, 1, 0]),
    "SST-2": (("negative", "positive"), ("accuracy",), [0, 1, 0]),
    "MRPC": (("not_equivalent", "equivalent"), PARAPHRASE, [0, 1, 0]),
    "QQP": (("not_duplicate", "duplicate"), PARAPHRASE, [0, 1, 0]),
    "STS-B": ((), ("pearson", "spearman"), [5, 1.25, 0]),
    "MNLI": (("entailment", "neutral", "contradiction"), ("accuracy",), [1, 0, 2]),
    "MNLI-mm": (("entailment", "neutral", "contradiction"), ("accuracy",), [1, 0, 2]),
    "QNLI": (ENTAILMENT, ("accuracy",), [0, 1, 0]),
    "RTE": (ENTAILMENT, ("accuracy",), [1, 0, 1]),
    "WNLI": (("not_entailment", "entailment"), ("accuracy",), [1, 0, 1]),
}
SINGLE = {"CoLA", "SST-2"}


@pytest.fixture
def glue(tmp_path: Path) -> Path:
    return write_glue(tmp_path / "glue")


def made(glue: Path, task: str, **fields: Any) -> Glue:
    """As a sweep file gives it."""
    checked = check_plugin("task", {"name": "glue", "task": task, "folder": str(glue), **fields}, TASKS)
    assert checked.settings is not None, checked.problems
    settings = dict(checked.settings)
    return TASKS[settings.pop("name")](**settings)


def load(glue: Path, task: str, **fields: Any) -> TaskData:
    return made(glue, task, **fields).load()


@pytest.mark.parametrize("task", LAYOUTS)
def test_every_task_is_read_as_the_benchmark_has_it(glue: Path, task: str) -> None:
    names, metrics, labels = EXPECTED[task]
    data = load(glue, task)
    assert (data.label_names, data.metrics, data.num_labels) == (names, metrics, len(names) or 1)
    assert data.train.labels[:3].tolist() == labels
    assert {name: len(split) for name, split in data.splits.items()} == {"train": TRAIN, "dev": DEV}
    assert data.train.texts[1] == 'train "bad film 1'
    assert data.train.pairs is None if task in SINGLE else data.train.pairs[1] == "train a bad plot 1"  # type: ignore[index]
    assert data.description.startswith(f"GLUE {task}: train 12 (")


@pytest.mark.parametrize("task", LAYOUTS)
def test_the_test_sets_keep_their_order_and_say_their_form(glue: Path, task: str) -> None:
    plugin = made(glue, task)
    assert isinstance(plugin, HasUnlabelled)
    found = plugin.unlabelled()
    files = {name: split.form.file for name, split in found.items()}
    if task.startswith("MNLI"):
        assert files == {"test_matched": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"}
    else:
        assert files == {"test": f"{task}.tsv"}
    for name, split in found.items():
        assert len(split) == TEST
        assert split.texts[4] == f'{name} "dull film 4'
        assert split.pairs is None if task in SINGLE else split.pairs[4] == f"{name} a dull plot 4"  # type: ignore[index]
        assert split.form.header == ("index", "prediction")
        labels = set(GLUE[task.removesuffix("-mm")][3].split())
        assert set(split.form.written.values()) == (set() if task == "STS-B" else labels)
        assert tuple(split.form.written) == EXPECTED[task][0]


def test_matched_and_mismatched_are_never_pooled(glue: Path) -> None:
    matched, mismatched = load(glue, "MNLI"), load(glue, "MNLI-mm")
    assert matched.train.texts == mismatched.train.texts
    assert all(text.startswith("dev_matched") for text in matched.dev.texts)
    assert all(text.startswith("dev_mismatched") for text in mismatched.dev.texts)
    both = load(glue, "MNLI", test=str(glue / "MNLI/dev_mismatched.tsv"))
    assert both.dev.texts == matched.dev.texts
    assert both.test is not None
    assert both.test.texts == mismatched.dev.texts


def test_subsets_are_fixed_and_stratified(glue: Path) -> None:
    data = load(glue, "RTE", train_size=6, dev_size=2, test=0.4, test_size=1)
    assert data.train.labels.sum() == 3
    assert (len(data.dev), len(data.test or ())) == (2, 1)
    assert not set(data.train.texts) & set((data.test or data.dev).texts)
    assert data.train.texts == load(glue, "RTE", train_size=6, dev_size=2, test=0.4, test_size=1).train.texts


def test_broken_rows_of_qqp_are_left_out_and_counted_in_train_alone(glue: Path) -> None:
    for name in ("train", "dev"):
        file = glue / "QQP" / f"{name}.tsv"
        file.write_text(file.read_text() + "99\t1\t2\tonly one question\n")
        if name == "train":
            data = load(glue, "QQP")
            assert len(data.train) == TRAIN
            assert "1 broken rows" in data.description
    with pytest.raises(InputError, match=r"dev\.tsv:8: 4 columns.*6"):
        load(glue, "QQP")
    file = glue / "RTE/train.tsv"
    file.write_text(file.read_text() + "99\tonly one\n")
    with pytest.raises(InputError, match=r"train\.tsv:14: 2 columns"):
        load(glue, "RTE")


def test_an_absent_training_set_is_named_and_can_be_replaced(glue: Path) -> None:
    (glue / "QNLI/train.tsv").rename(glue / "own.tsv")
    with pytest.raises(InputError, match=r"QNLI/train\.tsv: .*`train`"):
        load(glue, "QNLI")
    assert len(load(glue, "QNLI", train=str(glue / "own.tsv")).train) == TRAIN


def test_the_folder_may_be_the_tasks_own_or_is_told_what_it_is(glue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(load(glue / "RTE", "RTE").train) == TRAIN
    monkeypatch.chdir(glue.parent)
    assert len(load(Path("glue"), "MNLI-mm").train) == TRAIN
    with pytest.raises(InputError, match="RTE"):
        load(glue / "CoLA", "RTE")
    with pytest.raises(InputError, match=r"nowhere: .*RTE"):
        load(glue / "nowhere", "RTE")
    with pytest.raises(InputError, match="nowhere"):
        load(Path("nowhere"), "RTE")
    (glue / "RTE").rename(glue / "rte-old")
    with pytest.raises(InputError, match=r"CoLA, MNLI, .*rte-old"):
        load(glue, "RTE")


def test_an_unknown_task_is_told_what_there_is(glue: Path) -> None:
    checked = check_plugin("task", {"name": "glue", "task": "SST2", "folder": str(glue)}, TASKS)
    (finding,) = checked.problems
    assert finding.path == "task.task"
    assert "'SST-2'" in finding.message


def test_a_test_set_whose_rows_are_not_in_order_is_refused(glue: Path) -> None:
    file = glue / "RTE/test.tsv"
    file.write_text(file.read_text().replace("\n2\t", "\n3\t", 1))
    with pytest.raises(InputError, match=r"RTE/test\.tsv:4: index '3', expected 2"):
        made(glue, "RTE").unlabelled()


def test_training_does_not_need_the_test_file(glue: Path) -> None:
    (glue / "RTE/test.tsv").unlink()
    assert len(load(glue, "RTE").train) == TRAIN
    with pytest.raises(InputError, match=r"RTE/test\.tsv"):
        made(glue, "RTE").unlabelled()
