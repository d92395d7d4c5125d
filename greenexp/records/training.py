"""The section `training` of a sweep file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from greenexp.records.file_section import FileSection, as_tuple


def _count_or_share(value: Any) -> Any:
    """A whole number from 1, or a share between 0 and 1."""
    if value is None or (type(value) is int and value >= 1) or (type(value) is float and 0 < value < 1):
        return value
    raise ValueError(f"expected a number of examples from 1, or a share between 0 and 1, got {value!r}")


class Training(FileSection):
    """How every trial trains."""

    epochs: int = Field(3, ge=1, le=10_000, description="Epochs of a full training; the schedulers' largest resource")
    patience: int | None = Field(
        None, ge=1, description="Epochs in a row without a better dev score that end a trial; null: it trains them all"
    )
    reports_per_epoch: int = Field(
        1, ge=1, description="Evaluations on dev per epoch, evenly spaced; the last of them is at its end"
    )
    report_dev: Annotated[int | float | None, BeforeValidator(_count_or_share)] = Field(
        None, description="Dev examples of a report within an epoch, or their share below 1; null: all of them"
    )
    batch_size: int = Field(32, ge=1, description="Examples per optimiser step")
    optimiser: Literal["adamw", "sgd"] = Field(
        "adamw",
        exclude_if=lambda name: name == "adamw",
        description="adamw, or sgd: stochastic gradient descent with momentum",
    )
    learning_rate: float = Field(2e-5, gt=0, description="Peak learning rate")
    momentum: float | None = Field(
        None, ge=0, lt=1, exclude_if=lambda value: value is None, description="Of sgd; null: 0.9 there, adamw has none"
    )
    weight_decay: float = Field(
        0.01, ge=0, description="Weight decay on matrices: decoupled with adamw, added to the gradient with sgd"
    )
    warmup: float = Field(0.1, ge=0, le=1, description="Share of all steps over which the learning rate rises")
    schedule: Literal["linear", "steps"] = Field(
        "linear",
        exclude_if=lambda name: name == "linear",
        description="After the rise: linear, a fall to the end; steps, a fall by `decay` at each of `milestones`",
    )
    milestones: Annotated[tuple[float, ...] | None, BeforeValidator(as_tuple)] = Field(
        None,
        exclude_if=lambda values: values is None,
        description="Of steps: shares of all steps after which the learning rate falls, rising; null: 0.5 and 0.75",
    )
    decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        exclude_if=lambda value: value is None,
        description="Of steps: factor on the learning rate at each milestone; null: 0.1",
    )
    clip_norm: float | None = Field(1.0, gt=0, description="Largest gradient norm; null clips nothing")
    micro_batch_size: int | None = Field(
        None, ge=1, description="Examples per forward pass, if a batch must be split to fit; null: the whole batch"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Number format of the matrix products; auto: bf16 where the device computes it fast"
    )
    compile: bool = Field(
        False,
        exclude_if=lambda compiled: not compiled,
        description="Whether the encoder's layers go through torch.compile in training; evaluation stays as it is",
    )
    freeze_embeddings: bool = Field(False, description="Whether the embeddings stay as they are")
    max_length: int = Field(128, ge=4, description="Longest text in tokens; the rest is cut off")

    @property
    def evaluation_batch_size(self) -> int:
        """Twice what training computes at once: without gradients memory is no concern, and it stays the user's."""
        return 2 * (self.micro_batch_size or self.batch_size)

    def own_part(self, processes: int) -> int:
        """Examples of a whole micro-batch that one of so many processes computes, at most."""
        return -(-(self.micro_batch_size or self.batch_size) // processes)

    @model_validator(mode="after")
    def _reports_within_epochs(self) -> Training:
        if self.report_dev is not None and self.reports_per_epoch == 1:
            raise ValueError(
                f"report_dev ({self.report_dev:g}) is of reports within an epoch, and reports_per_epoch is 1: whole "
                "epochs are evaluated on all of dev"
            )
        return self

    @model_validator(mode="after")
    def _fields_of_what_is_chosen(self) -> Training:
        if self.momentum is not None and self.optimiser != "sgd":
            raise ValueError(f"momentum ({self.momentum:g}) is of optimiser sgd, and optimiser is {self.optimiser}")
        for name in ("milestones", "decay"):
            if getattr(self, name) is not None and self.schedule != "steps":
                raise ValueError(f"{name} is of schedule steps, and schedule is {self.schedule}")
        places = self.milestones or ()
        if list(places) != sorted(set(places)) or not all(0 < place < 1 for place in places):
            raise ValueError(f"milestones must be shares between 0 and 1, rising, each once; got {list(places)}")
        return self

    @model_validator(mode="after")
    def _micro_batch_fits(self) -> Training:
        if self.micro_batch_size is not None and self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"micro_batch_size ({self.micro_batch_size}) must not exceed batch_size ({self.batch_size})"
            )
        return self
