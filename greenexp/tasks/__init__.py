"""Tasks: where labelled texts and images come from, and how they become inputs, batches and scores.

A task is one frozen dataclass in one file whose `load()` gives a `TaskData`, or of images a `PixelTask`; its fields
are what a sweep file may say about it, its docstring is what `greenexp ls tasks` prints. numpy and `tokenizers` at
most: no torch, no model, and no knowledge of other plug-ins. To add one: write `tasks/<name>.py`, add its line below
and its row to `tests/tasks/test_task_data.py`; from another package, use the entry point group `greenexp.tasks`.
"""

from __future__ import annotations

from greenexp.registry import Registry
from greenexp.tasks.data import Split, Task, TaskData

__all__ = ["TASKS", "Split", "Task", "TaskData"]

TASKS: Registry[type[Task]] = Registry(
    "task",
    {
        "cifar10": "greenexp.tasks.cifar:Cifar10",
        "cifar100": "greenexp.tasks.cifar:Cifar100",
        "clauses": "greenexp.tasks.clauses:Clauses",
        "corpus": "greenexp.tasks.corpus:Corpus",
        "csv": "greenexp.tasks.files:Csv",
        "elue": "greenexp.tasks.elue:Elue",
        "glue": "greenexp.tasks.glue:Glue",
        "hub": "greenexp.tasks.hub:Hub",
        "jsonl": "greenexp.tasks.files:Jsonl",
        "movie-snippets": "greenexp.tasks.movie_snippets:MovieSnippets",
        "shapes": "greenexp.tasks.shapes:Shapes",
        "tsv": "greenexp.tasks.files:Tsv",
    },
    group="greenexp.tasks",
)
