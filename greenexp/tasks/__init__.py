"""Tasks: where labelled text comes from, and how it becomes token ids, batches and scores.

A task is one frozen dataclass in one file whose `load()` gives a `TaskData`; its fields are what a sweep file may say
about it, its docstring is what `greenexp ls tasks` prints. numpy and `tokenizers` at most: no torch, no model, and no
knowledge of other plug-ins. To add one: write `tasks/<name>.py`, add its line below and its row to
`tests/tasks/test_every_task.py`; from another package, use the entry point group `greenexp.tasks`.
"""

from __future__ import annotations

from greenexp.registry import Registry
from greenexp.tasks.data import Split, Task, TaskData

__all__ = ["TASKS", "Split", "Task", "TaskData"]

TASKS: Registry[type[Task]] = Registry(
    "task",
    {
        "clauses": "greenexp.tasks.clauses:Clauses",
    },
    group="greenexp.tasks",
)
