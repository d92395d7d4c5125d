"""What a sweep file means: configurations and trials."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSpec
from greenexp.records.values import Scalar, canonical_json
from greenexp.schedulers import Scheduler, build
from greenexp.spec import SweepSpec


@dataclass(frozen=True, slots=True)
class Configuration:
    """One point of the search.

    name: `c003`; searched, settings: as in TrialSpec; place: dotted path of its origin in the sweep file
    """

    name: str
    searched: Mapping[str, Scalar]
    settings: Settings
    place: str


@dataclass(frozen=True)
class Plan:
    """All trials of a sweep, in the order they start; equal files give equal plans.

    spec: the sweep with the plug-ins' defaults filled in; notes: what the user should know, as sentences
    """

    spec: SweepSpec
    configurations: tuple[Configuration, ...]
    trials: tuple[TrialSpec, ...]
    notes: tuple[str, ...] = ()

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Configuration -> names of its trials, in plan order."""
        groups: dict[str, list[str]] = {configuration.name: [] for configuration in self.configurations}
        for trial in self.trials:
            groups[trial.configuration].append(trial.trial)
        return {name: tuple(trials) for name, trials in groups.items()}

    @property
    def max_epochs(self) -> int:
        """The largest number of epochs any trial may train."""
        return max(trial.settings.training.epochs for trial in self.trials)

    def new_scheduler(self) -> Scheduler:
        """A running scheduler over the plan's trials, that has seen nothing yet."""
        return build(
            self.spec.scheduler.to_json(), max_epochs=self.max_epochs, groups=self.groups, mode=self.spec.metric.mode
        )

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over what determines which numbers the sweep can show: its trials and its scheduler.

        Budget, resources, prices and tracking may change between two sessions of a sweep; these may not.
        """
        content = {
            "trials": [[trial.trial, trial.fingerprint] for trial in self.trials],
            "scheduler": {"name": self.spec.scheduler.name, **self.spec.scheduler.options},
        }
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()
