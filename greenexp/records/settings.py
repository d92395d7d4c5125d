"""The settings of a trial: everything that makes its numbers but its seeds, typed from the plan to the optimiser."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

from greenexp.records.form import Form
from greenexp.records.sections import (
    BackboneChoice,
    CompressionChoice,
    Exits,
    HeadChoice,
    MethodChoice,
    Metric,
    TaskChoice,
    Training,
)

DEFAULT_HEAD = "linear"
"""The exit head where neither the sweep file nor the method says which."""
NO_COMPRESSION = CompressionChoice(name="none")
"""The compression where the sweep file does not say which."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a multi-exit model is built from.

    layers: as in `exits.layers` of a sweep file; learned: with a learning-to-exit module
    form: how the encoder differs from the one that its settings alone describe; None: it does not
    """

    backbone: BackboneChoice
    layers: Literal["all", "by_flops"] | tuple[int, ...] = "all"
    head: HeadChoice = field(default_factory=lambda: HeadChoice(name=DEFAULT_HEAD))
    learned: bool = False
    form: Form | None = None

    def with_backbone(self, **fields: Any) -> ModelSettings:
        """The same with other values of some fields of the backbone."""
        backbone = BackboneChoice.model_validate({**self.backbone.to_json(), **fields})
        return dataclasses.replace(self, backbone=backbone)

    def to_json(self) -> dict[str, Any]:
        """JSON values, in the sections of a sweep file; `from_json` is its inverse."""
        exits = {
            "layers": self.layers if isinstance(self.layers, str) else list(self.layers),
            "head": self.head.to_json(),
        }
        form = {} if self.form is None else {"form": self.form.to_json()}
        return {
            "backbone": self.backbone.to_json(),
            "exits": exits | ({"learned": True} if self.learned else {}),
            **form,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSettings:
        """The settings that `to_json` wrote. Raises ValueError where they are something else."""
        exits = dict(data["exits"])
        learned = bool(exits.pop("learned", False))
        section = Exits.model_validate(exits)
        head = section.head or HeadChoice(name=DEFAULT_HEAD)
        form = None if data.get("form") is None else Form.from_json(data["form"])
        return cls(BackboneChoice.model_validate(data["backbone"]), section.layers, head, learned, form)


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved sections of a sweep file for one configuration, with every default filled in."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    task: TaskChoice
    backbone: BackboneChoice
    exits: Exits
    method: MethodChoice
    training: Training
    metric: Metric
    compression: CompressionChoice = NO_COMPRESSION

    @property
    def model(self) -> ModelSettings:
        """What the model is built from, before the method has its say (`Method.adapt`)."""
        return ModelSettings(self.backbone, self.exits.layers, self.exits.head or HeadChoice(name=DEFAULT_HEAD))

    def to_json(self) -> dict[str, Any]:
        """Section -> JSON values, as they are journaled; `from_json` is its inverse.

        Without a compression that is none: older trials keep their fingerprints.
        """
        unused = ("compression",) if self.compression == NO_COMPRESSION else ()
        return {name: getattr(self, name).model_dump(mode="json") for name in SECTIONS if name not in unused}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """The settings that `to_json` wrote. Raises ValueError (pydantic's) where they are something else."""
        return _ADAPTER.validate_python(dict(data))


SECTIONS = tuple(field.name for field in dataclasses.fields(Settings))
_ADAPTER: TypeAdapter[Settings] = TypeAdapter(Settings)
