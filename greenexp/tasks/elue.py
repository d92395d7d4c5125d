"""The tasks of ELUE, from its folders of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from greenexp.errors import InputError
from greenexp.records.scored_lines import ELUE_METRICS
from greenexp.tasks import metrics
from greenexp.tasks.data import TaskData
from greenexp.tasks.labelled import Size
from greenexp.tasks.leaderboard import CORRELATED, FileColumns, Layout, task_folder, train_file
from greenexp.tasks.unlabelled import AnswerForm, UnlabelledSplit

SOURCE = "the training sets are in the folder ELUE_data of github.com/txsun1997/HashEE"
VALUES = (0.0, 5.0)
"""Between which the values of STS-B lie."""
_POLARITY = {"0": "negative", "1": "positive"}

LAYOUTS: Mapping[str, Layout] = {
    "SST-2": Layout(FileColumns("sentence"), _POLARITY),
    "IMDb": Layout(FileColumns("sentence"), _POLARITY),
    "SNLI": Layout(FileColumns("premise", "hypothesis"), {"0": "entailment", "1": "neutral", "2": "contradiction"}),
    "SciTail": Layout(FileColumns("premise", "hypothesis"), {"0": "neutral", "1": "entailment"}),
    "MRPC": Layout(
        FileColumns("#1 String", "#2 String", ("Quality", "label")),
        {"0": "not_equivalent", "1": "equivalent"},
        metrics=("accuracy", "f1"),
    ),
    "STS-B": Layout(FileColumns("sentence1", "sentence2"), {}, metrics=CORRELATED),
}


@dataclass(frozen=True, kw_only=True)
class Elue:
    """A task of ELUE (Liu et al., NAACL 2022), from the benchmark's folder of tab-separated files.

    train.tsv and dev.tsv are what they say; test_full.tsv, with labels, is the test set; test.tsv, the same rows
    without, is what `greenexp submit` answers. Classes keep their official numbers. ELUE's SST-2 is not GLUE's: it has
    8,544 whole sentences, neutral ones among them. Metrics: accuracy; MRPC accuracy and f1; STS-B, a regression on
    values from 0 to 5, pearson and spearman.

    task: which; folder: that holds the tasks' folders, or the task's own, relative to the working directory
    train: another training file with the same columns, where train.tsv is absent
    train_size, dev_size, test_size: fixed stratified subsets, first by a hash of the text. None: all
    """

    task: Literal["SST-2", "IMDb", "SNLI", "SciTail", "MRPC", "STS-B"]
    folder: str
    train: str | None = None
    train_size: Size = None
    dev_size: Size = None
    test_size: Size = None

    def load(self) -> TaskData:
        """Read the files. Raises InputError with file and line."""
        layout, folder = LAYOUTS[self.task], task_folder(self.folder, self.task)
        tables = {
            "train": layout.labelled(train_file(folder, self.train, SOURCE)),
            "dev": layout.labelled(str(folder / "dev.tsv")),
            "test": layout.labelled(str(folder / "test_full.tsv")),
        }
        fields = layout.fields(self.train_size, self.dev_size, self.test_size)
        return fields.build(tables, f"ELUE {self.task}")

    def missing(self) -> str:
        """Which of the files that `load` reads is not there, as its message; "" if all are."""
        try:
            folder = task_folder(self.folder, self.task)
            files = [Path(train_file(folder, self.train, SOURCE)), folder / "dev.tsv", folder / "test_full.tsv"]
        except InputError as error:
            return str(error)
        return next((f"there is no file {path}" for path in files if not path.is_file()), "")

    def unlabelled(self) -> Mapping[str, UnlabelledSplit]:
        """test.tsv, the test set as the leaderboard gives it out. Raises InputError with file and line."""
        layout = LAYOUTS[self.task]
        form = AnswerForm(f"{self.task}.tsv", ("index", "pred"), layout.written, limits=VALUES)
        return {"test": layout.unlabelled(str(task_folder(self.folder, self.task) / "test.tsv"), form)}


def written_labels(task: str, folder: str) -> list[str]:
    """The labels of the test set as the benchmark writes them, in the order of its rows. InputError if not there."""
    table = LAYOUTS[task].labelled(str(task_folder(folder, task) / "test_full.tsv"))
    return [label.strip() for label in table.column("label")]


def performance(task: str, answers: Sequence[str], labels: Sequence[str]) -> float | None:
    """The benchmark's number of a task in points: ELUE_METRICS of it x 100; None where it is not defined.

    answers, labels: as the benchmark writes them. Accuracy; MRPC the mean of accuracy and F1, STS-B of Pearson's and
    Spearman's correlation. Raises InputError for what is no class or number.
    """
    layout = LAYOUTS[task]
    if len(answers) != len(labels):
        raise InputError(f"{len(answers)} answers for {len(labels)} examples of {task}")
    if layout.classes:
        number = {written: place for place, written in enumerate(layout.classes)}
        strange = next((text for text in (*answers, *labels) if text not in number), None)
        if strange is not None:
            raise InputError(f"'{strange}' is no class of {task}: {', '.join(number)}")
        given, right = (np.array([number[text] for text in texts]) for texts in (answers, labels))
    else:
        given, right = (np.array([float(text) for text in texts]) for texts in (answers, labels))
    score = metrics.compute(ELUE_METRICS[task], given, right)
    return None if score is None else 100 * score
