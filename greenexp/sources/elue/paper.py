"""Operating points typed from a paper, in YAML: the benchmark's form "submit from a paper" as a file.

    model: BERT-PABEE
    paper: https://arxiv.org/abs/...
    mparams: 110
    counted: flops
    tasks:
      SST-2:
        metric: accuracy
        points:
          - {mflops: 3800, performance: 91.4}
      MRPC: {score: -2.97}

`performance` is in points (percent), `mflops` the mean of an example; `mparams` may also stand at a point. `metric`
says what the performance is; scores of another metric are not compared with it. A task whose
points are not published can have its published score instead. Every problem is told with line and column.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from greenexp.errors import InputError, Problem, SweepFileError, did_you_mean
from greenexp.records.explain import problems_of, shown
from greenexp.records.places import Places, problem_at
from greenexp.records.scored_lines import ELUE_TASKS, CostConvention, ScoredLine
from greenexp.spec.yaml12 import MAX_BYTES, parse

SUFFIXES = (".yaml", ".yml")
MOST_SCORE = 200
"""In points: a score is a mean of differences between performances of -100 to 100."""


def _no_boolean(value: Any) -> Any:
    """As it is. Pydantic would take `true` for 1."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {shown(value)}")
    return value


Number = Annotated[float, BeforeValidator(_no_boolean)]
Cost = Annotated[Number, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


class PaperPoint(_Strict):
    """One operating point. performance: in points; mflops: mean of an example; name: what it is, for tables."""

    performance: Annotated[Number, Field(ge=-100, le=100)]
    mflops: Cost
    mparams: Cost | None = None
    name: str | None = None


class PaperTask(_Strict):
    """What is known of a model on one task: points, or a published score. metric: of the points."""

    metric: Annotated[str, Field(min_length=1)] | None = None
    points: tuple[PaperPoint, ...] = ()
    score: Annotated[Number, Field(ge=-MOST_SCORE, le=MOST_SCORE)] | None = None


class Paper(_Strict):
    """One model as a paper gives it. mparams: in millions; counted: what its MFLOPs count."""

    model: Annotated[str, Field(min_length=1)]
    title: str | None = None
    paper: str | None = None
    code: str | None = None
    mparams: Cost | None = None
    counted: CostConvention | None = None
    tasks: Annotated[dict[str, PaperTask], Field(min_length=1)]

    def most_mparams(self) -> float | None:
        """The most parameters of the model or of a point, in millions; None if none says."""
        points = [point.mparams for task in self.tasks.values() for point in task.points]
        return max((value for value in (self.mparams, *points) if value is not None), default=None)

    def line(self, task: str) -> ScoredLine | None:
        """Its points on a task, in MFLOPs of 2 x MAC if it says that it counts MACs; None if it gives none."""
        given = self.tasks.get(task)
        if given is None or not given.points:
            return None
        factor = 1 if self.counted is None else self.counted.flops_per_unit
        rows = np.array([(point.mflops * factor, point.performance) for point in given.points], dtype=np.float64)
        notes = () if factor == 1 else (f"{self.model}: its MACs are taken as 2 FLOPs each",)
        return ScoredLine(
            self.model,
            {"paper": rows},
            task,
            self.counted,
            self.most_mparams(),
            notes=notes,
            metric=given.metric or "",
        )


def read_paper(path: str | Path) -> Paper:
    """The file. SweepFileError with all problems and their places; InputError where there is no file to read."""
    path = Path(path)
    try:
        text = path.read_bytes()[: MAX_BYTES + 1].decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    if len(text) > MAX_BYTES:
        raise InputError(f"{path}: more than {MAX_BYTES:,} bytes are no points typed from a paper")
    tree = parse(text, str(path))
    if tree.data is None and "" not in tree.places:
        raise SweepFileError([Problem("", "the file is empty: expected model, tasks, ...", str(path))])
    if not isinstance(tree.data, dict):
        raise SweepFileError([*tree.problems, problem_at(tree.places, "", "expected a mapping: model, tasks, ...")])
    paper, problems = None, list(tree.problems)
    try:
        paper = Paper.model_validate(tree.data)
    except ValidationError as error:
        problems += problems_of(error, tree.places, Paper)
    problems += _problems_of_tasks(tree.data.get("tasks"), tree.places)
    if problems or paper is None:
        raise SweepFileError({problem.path: problem for problem in reversed(problems)}.values())
    return paper


def _problems_of_tasks(tasks: Any, places: Places) -> list[Problem]:
    """What the types cannot say: names of tasks, points or a score, a cost given twice."""
    problems = []
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        path = f"tasks.{name}"
        if name not in ELUE_TASKS:
            near = did_you_mean(name, ELUE_TASKS)
            problems.append(problem_at(places, path, f"no task of ELUE{near}: {', '.join(ELUE_TASKS)}", of_key=True))
        if not isinstance(task, dict):
            continue
        if ("points" in task) == ("score" in task) or task.get("points") == []:
            problems.append(problem_at(places, path, "expected `points`, at least one, or a published `score`"))
    return problems


def paper_text(paper: Paper) -> str:
    """The file that `read_paper` reads."""
    data = paper.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
