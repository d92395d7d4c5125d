"""The sections of a sweep file as frozen models: what a field is called, its type, range and default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    create_model,
    field_serializer,
    field_validator,
    model_validator,
)

from greenexp.errors import InputError, did_you_mean
from greenexp.records.addresses import without_password
from greenexp.records.carbon_source import CarbonSource
from greenexp.records.file_section import FileSection, as_tuple
from greenexp.records.limits import LimitsBase, SearchBudget, limit_fields
from greenexp.records.policies import DEFAULT_POLICIES
from greenexp.records.training import Training as Training
from greenexp.records.worth import PAYMENTS
from greenexp.registry import registry_at
from greenexp.units import parse_quantity


class Component(BaseModel):
    """A plug-in by name with its own fields, which `greenexp.plan` checks against the plug-in.

    registry: where the plug-ins of its kind are registered, `module:NAME`
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    registry: ClassVar[str] = ""

    name: str = Field(min_length=1, description="Name of the plug-in, as `greenexp ls` shows it")

    @property
    def options(self) -> dict[str, Any]:
        """The plug-in's fields as written: everything but the name."""
        return dict(self.model_extra or {})

    def plugin(self) -> Any:
        """The plug-in with these fields. UnknownNameError if there is none of this name."""
        return registry_at(self.registry)[self.name](**self.options)

    def to_json(self) -> dict[str, Any]:
        """Name and fields as JSON values."""
        return self.model_dump(mode="json")


class TaskChoice(Component):
    """The task: what is learnt."""

    registry: ClassVar[str] = "greenexp.tasks:TASKS"


class BackboneChoice(Component):
    """The encoder."""

    registry: ClassVar[str] = "greenexp.backbones:BACKBONES"


class HeadChoice(Component):
    """The classifier at each exit."""

    registry: ClassVar[str] = "greenexp.exits:HEADS"


class SearchChoice(Component):
    """The search: which configurations are tried."""

    model_config = ConfigDict(serialize_by_alias=True)
    registry: ClassVar[str] = "greenexp.searches:SEARCHES"

    per: str | None = Field(
        default=None,
        exclude_if=lambda path: path is None,
        description="Dotted path of a searched choice: each of its values gets a search of its own, of the same size",
    )
    budget: SearchBudget | None = Field(
        default=None,
        exclude_if=lambda limits: limits is None,
        description="Limits on each of these searches; one that has reached a limit begins no further configuration",
    )
    earlier: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(as_tuple)] = Field(
        default=(),
        alias="from",
        exclude_if=lambda sources: not sources,
        description="Folders or MLflow addresses of earlier sweeps that the search is told of before it begins",
    )

    def limits(self) -> dict[str, float]:
        """Axis -> limit on the search of each value."""
        return {} if self.budget is None else self.budget.limits()

    def own_json(self) -> dict[str, Any]:
        """Name and fields of the search itself as JSON values, without those that all searches share."""
        shared = {field.alias or name for name, field in SearchChoice.model_fields.items() if name != "name"}
        return {key: value for key, value in self.to_json().items() if key not in shared}


class MethodChoice(Component):
    """The training method."""

    registry: ClassVar[str] = "greenexp.methods:METHODS"


class CompressionChoice(Component):
    """What is taken from the model before it is scored and served."""

    registry: ClassVar[str] = "greenexp.compression:COMPRESSIONS"


class SchedulerChoice(Component):
    """The rule that stops trials early."""

    registry: ClassVar[str] = "greenexp.schedulers:SCHEDULERS"


class PolicyChoice(Component):
    """An exit policy."""

    registry: ClassVar[str] = "greenexp.exits:POLICIES"


def _layers(value: Any) -> Any:
    """`all`, `by_flops`, or layer numbers from 1, rising."""
    if value in ("all", "by_flops"):
        return value
    numbers = list(value) if isinstance(value, list | tuple) else []
    if not numbers or not all(type(n) is int and n >= 1 for n in numbers):
        raise ValueError(f"expected 'all', 'by_flops' or a list of layer numbers from 1, got {value!r}")
    if numbers != sorted(set(numbers)):
        raise ValueError(f"layer numbers must rise, each once: write {sorted(set(numbers))}, got {numbers}")
    return tuple(numbers)


def _which_exit(value: Any) -> Any:
    """`mean`, `last`, `best`, or an exit's number from 1."""
    if value in ("mean", "last", "best") or (type(value) is int and value >= 1):
        return value
    raise ValueError(f"expected mean, last, best or the number of an exit from 1, got {value!r}")


class Exits(FileSection):
    """Where the exits sit and what they are."""

    layers: Annotated[Literal["all", "by_flops"] | tuple[int, ...], BeforeValidator(_layers)] = Field(
        "all",
        description="`all`, or the numbers from 1 of the encoder layers that carry an exit, the last included; "
        "`by_flops`: those nearest to 15, 30, 45, 60, 75 and 90 % of the FLOPs, and the last",
    )
    head: HeadChoice | None = Field(
        None, description="Exit head, one per exit; null: that of the method's publication, linear where it has none"
    )


class Metric(FileSection):
    """What the sweep maximises or minimises on dev."""

    name: str = Field("accuracy", min_length=1, description="A metric of the task, or loss")
    exit: Annotated[Literal["mean", "last", "best"] | int, BeforeValidator(_which_exit)] = Field(
        "mean", description="mean over the exits, the last, the best, or an exit's number from 1"
    )
    mode: Literal["max", "min"] = Field("max", description="Whether more or less is better")

    def check_exits(self, exits: Sequence[int]) -> None:
        """InputError if `exit` is a number that is not among the `exits` of the model that is scored."""
        if isinstance(self.exit, int) and self.exit not in exits:
            there = ", ".join(map(str, exits))
            raise InputError(
                f"metric.exit is {self.exit}, but the exits trained from the first epoch on are {there} (as they are "
                "numbered in the model that is scored: without those that a compression removes)"
            )


class Seeds(FileSection):
    """How often every configuration is repeated; the same seed lists for all configurations."""

    root: int = Field(0, ge=0, description="Root of the seed tree")
    initialisation: int = Field(1, ge=1, description="Number of initialisation seeds")
    order: int = Field(1, ge=1, description="Number of data-order seeds")
    design: Literal["crossed", "paired"] = Field(
        "crossed", description="crossed: every pair of seeds; paired: the i-th with the i-th"
    )
    folds: int | None = Field(
        None,
        ge=2,
        description="Parts of the training set for cross-validation: each is left out once and scored on in the place "
        "of dev; null: none, trials are scored on dev",
    )
    rounds: bool = Field(
        False,
        description="Whether all configurations train with one seed before any trains with the next, so that a sweep "
        "that is cut short compares them at equal seeds",
    )


def _duration(value: Any) -> Any:
    """Seconds, of a number of them or a text such as `10m`; more than 0."""
    if value is None:
        return None
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        raise ValueError(f"expected a duration such as 10m, got {value!r}")
    seconds = parse_quantity(value, "s")
    if seconds <= 0:
        raise ValueError(f"a duration must be more than 0, got {value!r}")
    return seconds


_DURATION_SCHEMA = WithJsonSchema({"type": ["number", "string", "null"]})


Packing = tuple[int, int, float] | tuple[int, int, float, int]
"""On what it depends besides a trial how fast it trains; see `Resources.packing`."""


class Resources(FileSection):
    """What trials run on."""

    workers: int = Field(1, ge=1, description="Trials at a time")
    cpus_per_trial: int = Field(1, ge=1, description="CPU cores, and threads, of one trial")
    gpus_per_trial: float = Field(0, ge=0, description="GPUs of one trial; a fraction shares one")
    processes_per_trial: int = Field(
        1,
        ge=1,
        exclude_if=lambda processes: processes == 1,
        description="Processes that train a trial together, each on its part of every batch and with its part of the "
        "trial's CPU cores and GPUs",
    )
    fuse_seeds: bool = Field(
        False,
        exclude_if=lambda fused: not fused,
        description="Whether the seeds of a configuration are trained as one stacked model by one worker",
    )
    mps: bool = Field(
        False,
        exclude_if=lambda shared: not shared,
        description="Whether trials that share a GPU reach it through NVIDIA's multi-process service (MPS)",
    )
    max_failures: int = Field(1, ge=0, description="How often a trial whose worker died is started again")
    checkpoint_every: Annotated[float | None, BeforeValidator(_duration), _DURATION_SCHEMA] = Field(
        None,
        description="Time after which a trial is saved while it trains on, such as 10m: a crash loses at most that; "
        "null: it is saved only when it pauses",
    )
    no_report_limit: Annotated[float | None, BeforeValidator(_duration), _DURATION_SCHEMA] = Field(
        None,
        description="Time without a report after which a trial's worker is killed, such as 10m; null: ten times what "
        "the trial's longest report so far took, or is expected to take, at least 2m; 30m where neither is known",
    )
    wait_for_nodes: Annotated[float | None, BeforeValidator(_duration), _DURATION_SCHEMA] = Field(
        None, description="How long a Ray cluster may take to get a node that a trial fits on; null: it must be there"
    )

    @property
    def packing(self) -> Packing:
        """Trials at a time, cores and GPUs of each; and its processes, where they are several."""
        shape = self.workers, self.cpus_per_trial, self.gpus_per_trial
        return shape if self.processes_per_trial == 1 else (*shape, self.processes_per_trial)

    @property
    def cpus_per_process(self) -> int:
        """CPU cores, and threads, of each process of a trial."""
        return self.cpus_per_trial // self.processes_per_trial

    @property
    def gpus_per_process(self) -> float:
        """GPUs of each process of a trial."""
        return self.gpus_per_trial / self.processes_per_trial


MODELLED = "modelled"


class Accounting(FileSection):
    """The factors by which time and energy become grams and money; null: not known, and then not reported."""

    energy: Literal["measured", "modelled"] = Field(
        "measured", description="Whether energy that cannot be measured is modelled from the stated powers"
    )
    cpu_watts_per_core: float | None = Field(None, gt=0, description="Power of a core that computes, W, for the model")
    gpu_watts: dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        None, description="Part of a GPU's name -> its power while it is assigned, W, for the model"
    )
    carbon_g_per_kwh: float | None = Field(None, ge=0, description="Grams of CO2-equivalent per kWh")
    region: str | None = Field(
        None, min_length=2, max_length=6, description="ISO 3166 code of the region whose grams per kWh are looked up"
    )
    carbon_source: CarbonSource | None = Field(
        None,
        exclude_if=lambda source: source is None,
        description="Where the grams per kWh of `region` are from; written by greenexp when a sweep begins",
    )
    embodied_g_per_gpu_h: float | None = Field(
        None, ge=0, description="Grams of CO2-equivalent of making a GPU, per hour of its use"
    )
    embodied_g_per_cpu_h: float | None = Field(
        None, ge=0, description="Grams of CO2-equivalent of making a CPU core and its machine, per hour of its use"
    )
    pue: float = Field(1.0, ge=1, description="Power usage effectiveness: energy drawn / energy of the computers")
    price_per_gpu_h: float | None = Field(None, ge=0, description="Price of a GPU hour")
    price_per_cpu_h: float | None = Field(None, ge=0, description="Price of a CPU core hour")
    price_per_kwh: float | None = Field(None, ge=0, description="Price of a kWh")
    currency: str | None = Field(None, min_length=1, max_length=8, description="Currency of the prices")

    @model_validator(mode="after")
    def _one_origin_of_carbon(self) -> Accounting:
        if self.region is not None and self.carbon_g_per_kwh is not None and self.carbon_source is None:
            raise ValueError("state either carbon_g_per_kwh or region, from which it is looked up, and not both")
        if self.carbon_source is not None:
            self.carbon_source.check(self.region, self.carbon_g_per_kwh)
        return self


def _policies(value: Any) -> Any:
    """A list in which a policy may be its name alone."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of exit policies such as [max_probability], got {value!r}")
    return tuple(PolicyChoice(name=policy) if isinstance(policy, str) and policy else policy for policy in value)


class Replay(FileSection):
    """What is worked out from the recorded dev and test logits, without training anything again."""

    policies: Annotated[tuple[PolicyChoice, ...], BeforeValidator(_policies)] = Field(
        default=_policies(DEFAULT_POLICIES),
        description="Exit policies whose operating points the report shows: names, or mappings with options",
    )


class Tracking(FileSection):
    """Where MLflow records the sweep."""

    enabled: bool = Field(True, description="Whether MLflow is written")
    uri: str | None = Field(None, min_length=1, description="Tracking URI; null: SQLite in the results folder")
    experiment: str | None = Field(None, min_length=1, description="MLflow experiment; null: the sweep's name")

    @field_serializer("uri")
    def _for_the_record(self, uri: str | None) -> str | None:
        """Whatever is written down of a sweep is handed on: journal, MLflow, report, `plan --json`."""
        return None if uri is None else without_password(uri)


class Worth(FileSection):
    """The least expected gain for which another configuration is begun."""

    gain: float = Field(gt=0, description="Gain of the metric")
    per: str = Field(description="What that gain may cost", json_schema_extra={"enum": list(PAYMENTS)})

    @field_validator("per")
    @classmethod
    def _known(cls, per: str) -> str:
        if per not in PAYMENTS:
            raise ValueError(f"unknown unit {per!r}{did_you_mean(per, PAYMENTS)} (known: {', '.join(PAYMENTS)})")
        return per


class BudgetBase(LimitsBase):
    """Limits on what the sweep may use; the sweep ends cleanly when one is reached."""

    worth: Worth | None = Field(None, description="Begin no configuration that is expected to gain less for its cost")


if TYPE_CHECKING:

    class Budget(BudgetBase):
        """The limits, one field per axis of `greenexp.records.axes`; None is no limit."""

else:
    Budget = create_model(
        "Budget",
        __base__=BudgetBase,
        __doc__=BudgetBase.__doc__,
        **limit_fields(),
    )
