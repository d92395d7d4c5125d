"""The tasks of GLUE, from the folder its download script leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from greenexp.tasks.data import TaskData
from greenexp.tasks.labelled import Share, Size
from greenexp.tasks.leaderboard import CORRELATED, FileColumns, Layout, task_folder, train_file
from greenexp.tasks.unlabelled import AnswerForm, UnlabelledSplit

SOURCE = "GLUE's own download, from gluebenchmark.com/tasks, has it"
HEADER = ("index", "prediction")

_SENTENCES = FileColumns("sentence1", "sentence2")
_PARAPHRASE = ("accuracy", "f1")
_ENTAILMENT = {"entailment": "entailment", "not_entailment": "not_entailment"}
_MNLI = Layout(
    FileColumns("sentence1", "sentence2", ("gold_label",)),
    {"entailment": "entailment", "neutral": "neutral", "contradiction": "contradiction"},
)

LAYOUTS: Mapping[str, Layout] = {
    "CoLA": Layout(
        FileColumns(3, label=(1,), header=False),
        {"0": "unacceptable", "1": "acceptable"},
        metrics=("matthews",),
        test=FileColumns("sentence"),
    ),
    "SST-2": Layout(FileColumns("sentence"), {"0": "negative", "1": "positive"}),
    "MRPC": Layout(
        FileColumns("#1 String", "#2 String", ("Quality",)),
        {"0": "not_equivalent", "1": "equivalent"},
        metrics=_PARAPHRASE,
    ),
    "QQP": Layout(
        FileColumns("question1", "question2", ("is_duplicate",)),
        {"0": "not_duplicate", "1": "duplicate"},
        metrics=_PARAPHRASE,
        broken=True,
    ),
    "STS-B": Layout(FileColumns("sentence1", "sentence2", ("score",)), {}, metrics=CORRELATED),
    "MNLI": _MNLI,
    "MNLI-mm": _MNLI,
    "QNLI": Layout(FileColumns("question", "sentence"), _ENTAILMENT),
    "RTE": Layout(_SENTENCES, _ENTAILMENT),
    "WNLI": Layout(_SENTENCES, {"0": "not_entailment", "1": "entailment"}),
}


@dataclass(frozen=True, kw_only=True)
class Glue:
    """A task of GLUE (Wang et al., ICLR 2019), from the benchmark's folder of tab-separated files.

    train.tsv and dev.tsv are what they say. The labels of test.tsv are the leaderboard's: there is no test score unless
    `test` is given, and `greenexp submit` writes the answers to hand in. Classes stand in the benchmark's order: 0 and
    1 as written; entailment before neutral, contradiction or not_entailment (but WNLI's 0 is not_entailment). Metrics:
    accuracy; CoLA matthews; MRPC and QQP accuracy and f1 (of class 1); STS-B, a regression on values from 0 to 5,
    pearson and spearman.

    MNLI's two development sets are never pooled. `MNLI` has dev_matched.tsv as dev, `MNLI-mm` dev_mismatched.tsv; both
    train on the same sentences, and from either `submit` answers both test sets. `MNLI` with `test:
    .../dev_mismatched.tsv` scores one chosen model on both: matched as dev, mismatched as test.

    In QQP's train.tsv rows that lack columns are left out, as everybody does, and counted in the task's description.

    task: which; folder: that holds the tasks' folders, or the task's own, relative to the working directory
    train: another training file with the same columns, where train.tsv is absent
    test: a labelled file with the same columns, or the share of train that is cut off by a hash of the text
    train_size, dev_size, test_size: fixed stratified subsets, first by a hash of the text. None: all
    """

    task: Literal["CoLA", "SST-2", "MRPC", "QQP", "STS-B", "MNLI", "MNLI-mm", "QNLI", "RTE", "WNLI"]
    folder: str
    train: str | None = None
    test: str | Share | None = None
    train_size: Size = None
    dev_size: Size = None
    test_size: Size = None

    def load(self) -> TaskData:
        """Read the files. Raises InputError with file and line."""
        layout, folder = LAYOUTS[self.task], self._folder()
        dev = {"MNLI": "dev_matched.tsv", "MNLI-mm": "dev_mismatched.tsv"}.get(self.task, "dev.tsv")
        tables = {
            "train": layout.labelled(train_file(folder, self.train, SOURCE), broken=True),
            "dev": layout.labelled(str(folder / dev)),
            "test": layout.labelled(self.test) if isinstance(self.test, str) else self.test,
        }
        return layout.fields(self.train_size, self.dev_size, self.test_size).build(tables, f"GLUE {self.task}")

    def unlabelled(self) -> Mapping[str, UnlabelledSplit]:
        """The test sets of the leaderboard. Raises InputError with file and line."""
        layout, folder = LAYOUTS[self.task], self._folder()
        names = {"test": f"{self.task}.tsv"}
        if layout is _MNLI:
            names = {"test_matched": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"}
        return {
            name: layout.unlabelled(
                str(folder / f"{name}.tsv"), AnswerForm(file, HEADER, layout.written, limits=(0, 5))
            )
            for name, file in names.items()
        }

    def _folder(self) -> Path:
        return task_folder(self.folder, self.task.removesuffix("-mm"))
