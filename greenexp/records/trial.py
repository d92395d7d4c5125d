"""What a trial is: one configuration and its seeds, frozen, with a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from greenexp.records.progress import Epochs
from greenexp.records.sections import Training
from greenexp.records.settings import Settings
from greenexp.records.values import Scalar, canonical_json


@dataclass(frozen=True, slots=True)
class TrialSeeds:
    """The two sources of randomness of a trial, each a non-negative 32-bit integer.

    `initialisation` draws the new weights (heads, and the whole encoder if it is random). `order` draws everything
    that happens afterwards: the order of the training examples and the dropout masks.
    """

    initialisation: int
    order: int


@dataclass(frozen=True, slots=True)
class Fold:
    """The part of the training set that a trial leaves out and is scored on in the place of dev.

    number: from 0; of: how many parts there are
    """

    number: int
    of: int


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One configuration with its seeds, all a worker needs to run it.

    trial: name within the sweep, `c003-i1-o0`: configuration 3, initialisation seed 1, data-order seed 0; with folds
        `c003-i1-o0-f2`: fold 2
    configuration: name of the configuration, `c003`; the seeds and folds of one configuration share it
    index: place in the plan, from 0
    settings: the resolved sections `task backbone exits method training metric` of the sweep file for this trial
    searched: dotted path -> value of what the search chose (`{"training.learning_rate": 1e-3}`); see `coordinate`
    seeds: see `TrialSeeds`
    fingerprint: sha256 over settings, seeds, fold and origins; equal fingerprints mean equal numbers on one machine
    fold: what is left out of the training set to be scored on; None: nothing, the trial is scored on dev
    origins: field of the sweep file that names a trained model of another sweep (`method.teacher`) -> sha256 (hex) of
        that model, as it was when the trial was planned
    """

    trial: str
    configuration: str
    index: int
    settings: Settings
    searched: Mapping[str, Scalar]
    seeds: TrialSeeds
    fingerprint: str = field(default="")
    fold: Fold | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self.settings, self.seeds, self.fold, self.origins))

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return {
            "trial": self.trial,
            "configuration": self.configuration,
            "index": self.index,
            "settings": self.settings.to_json(),
            "searched": dict(self.searched),
            "seeds": {"initialisation": self.seeds.initialisation, "order": self.seeds.order},
            "fingerprint": self.fingerprint,
            **({} if self.fold is None else {"fold": {"number": self.fold.number, "of": self.fold.of}}),
            **({"origins": dict(self.origins)} if self.origins else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialSpec:
        """The trial `to_json` wrote."""
        return cls(
            trial=data["trial"],
            configuration=data["configuration"],
            index=data["index"],
            settings=Settings.from_json(data["settings"]),
            searched=data["searched"],
            seeds=TrialSeeds(**data["seeds"]),
            fingerprint=data["fingerprint"],
            fold=Fold(**data["fold"]) if data.get("fold") else None,
            origins=data.get("origins") or {},
        )


def early_end(training: Training, epoch: Epochs) -> str:
    """Why a trial came to its end after `epoch`, in words; empty if that is its last epoch."""
    if epoch >= training.epochs or training.patience is None:
        return ""
    reached = f"ended by patience after epoch {epoch} of {training.epochs}"
    return f"{reached}: no better dev score for {training.patience} in a row"


def fingerprint(
    settings: Settings, seeds: TrialSeeds, fold: Fold | None = None, origins: Mapping[str, str] | None = None
) -> str:
    """sha256 (hex) of the canonical JSON of what determines a trial's numbers."""
    content: dict[str, Any] = {
        "settings": _without_single_reports(settings.to_json()),
        "seeds": [seeds.initialisation, seeds.order],
    }
    if fold is not None:
        content["fold"] = [fold.number, fold.of]
    if origins:
        content["origins"] = dict(origins)
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _without_single_reports(settings: dict[str, Any]) -> dict[str, Any]:
    """Without the fields of reports within epochs where there are none: older trials keep their fingerprints."""
    unused = (("reports_per_epoch", 1), ("report_dev", None))
    training = {name: value for name, value in settings["training"].items() if (name, value) not in unused}
    return {**settings, "training": training}
