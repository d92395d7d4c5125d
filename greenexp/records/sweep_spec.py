"""The whole sweep file as one frozen model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, ValidationError

from greenexp.errors import SweepFileError
from greenexp.records.explain import problems_of
from greenexp.records.file_section import FileSection
from greenexp.records.objectives import SCORE, Objective
from greenexp.records.search_space import Distribution
from greenexp.records.sections import (
    Accounting,
    BackboneChoice,
    Budget,
    CompressionChoice,
    Exits,
    MethodChoice,
    Metric,
    Replay,
    Resources,
    SchedulerChoice,
    SearchChoice,
    Seeds,
    TaskChoice,
    Tracking,
    Training,
)


def _objectives(names: Any) -> Any:
    """A list of names, `score` first: it is what the best configuration is chosen by."""
    if not isinstance(names, list | tuple):
        raise ValueError(f"expected a list of objectives such as [score, inference_flops], got {names!r}")
    listed = tuple(names)
    if not listed or listed[0] != SCORE:
        raise ValueError("the first objective must be score, by which the best configuration is chosen")
    if any(str(name).startswith("latency") for name in listed):
        raise ValueError(
            "a latency is no objective: it belongs to one shape of model, which a search changes, and a timing beside "
            "other trials measures these too; take inference_flops, and time the front afterwards with greenexp bench "
            f"(objectives: {', '.join(get_args(Objective))})"
        )
    if len({str(name) for name in listed}) < len(listed):
        raise ValueError("an objective is listed twice")
    return listed


class SweepSpec(FileSection):
    """A sweep file. Only `name` and `task` must be given; a section is given as a mapping, as in the file.

    >>> import greenexp
    >>> spec = greenexp.SweepSpec(
    ...     name="learning-rates",
    ...     task={"name": "clauses"},
    ...     space={"training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-2}},
    ...     search={"name": "random", "samples": 8},
    ... )
    >>> spec.training.epochs
    3

    Raises SweepFileError with everything that is wrong. What depends on several sections or on plug-ins is checked by
    whoever reads it: `greenexp.plan`, `greenexp.run`.
    """

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Name of the sweep: letters, digits, dot, dash, underscore",
    )
    task: TaskChoice = Field(description="What is learnt, with the task's fields")
    backbone: BackboneChoice = Field(default=BackboneChoice(name="bert"), description="The encoder, with its fields")
    exits: Exits = Field(default=Exits(), description="Where the exits sit and what they are")
    method: MethodChoice = Field(
        default=MethodChoice(name="branchynet"), description="The training method, with its fields"
    )
    compression: CompressionChoice | None = Field(
        default=None,
        description="What is taken from the model before it is scored and served; null: what the method's "
        "publication takes, or nothing",
    )
    training: Training = Field(default=Training(), description="How every trial trains")
    metric: Metric = Field(default=Metric(), description="What is maximised or minimised on dev")
    objectives: Annotated[tuple[Objective, ...], BeforeValidator(_objectives)] = Field(
        default=(SCORE,),
        description="What the search optimises: score, then costs, of which less is better",
    )
    space: dict[str, Distribution] = Field(
        default={},
        description="Dotted path of a field of task, backbone, exits, method, compression or training -> distribution",
    )
    search: SearchChoice = Field(
        default=SearchChoice.model_validate({"name": "random", "samples": 1}),
        description="How configurations are chosen from the space, with the search's fields",
    )
    seeds: Seeds = Field(default=Seeds(), description="How often every configuration is repeated")
    scheduler: SchedulerChoice = Field(default=SchedulerChoice(name="fifo"), description="What stops trials early")
    budget: Budget = Field(default_factory=Budget, description="Limits on what the sweep may use")
    resources: Resources = Field(default=Resources(), description="What trials run on")
    accounting: Accounting = Field(default=Accounting(), description="Carbon and price factors")
    replay: Replay = Field(default=Replay(), description="What is worked out from recorded logits")
    tracking: Tracking = Field(default=Tracking(), description="Where MLflow records the sweep")

    def __init__(self, **sections: Any) -> None:
        try:
            super().__init__(**sections)
        except ValidationError as error:
            raise SweepFileError(problems_of(error, {}, SweepSpec)) from None

    # Pydantic's own validation of a mapping does not go through `__init__`: `greenexp.spec` places each of its errors
    # in the file.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SweepSpec:
        """The sweep that `model_dump(mode="json")` wrote. Raises pydantic's ValidationError if it is something else."""
        return cls.model_validate_json(json.dumps(data))


SWEEP_FIELDS = tuple(SweepSpec.model_fields)
