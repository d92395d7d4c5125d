"""What a sweep file means: configurations and trials, all of them or the first ones of a plan that grows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from itertools import count, islice
from typing import Any

import pandas as pd

from greenexp.errors import StateError
from greenexp.journal.origins import identities, origins_of
from greenexp.plan.growth import Configuration, Growth, configuration_name
from greenexp.plan.prices import Price
from greenexp.plan.seeds import repetitions
from greenexp.records.settings import SECTIONS, Settings
from greenexp.records.trial import TrialSpec
from greenexp.records.values import Value, canonical_json
from greenexp.schedulers import Scheduler, build, compares_objectives, scheduler_of
from greenexp.spec import SweepSpec


@dataclass(frozen=True, repr=False)
class Plan:
    """The trials of a sweep, in the order they start; equal files give equal plans.

    >>> import greenexp
    >>> plan = greenexp.plan("smoke", set={"search.samples": 3, "seeds.initialisation": 2})
    >>> isinstance(plan, greenexp.Plan), len(plan.configurations), len(plan.trials)
    (True, 3, 6)
    >>> plan.price.bounds["epochs"].most
    36.0

    spec: the sweep with the plug-ins' defaults filled in; notes: what the user should know, as sentences
    growth: how further configurations are made, where the search proposes them while the sweep runs; None where
        `configurations` are all there will be
    price: what the sweep costs at most and is expected to cost, None before that has been worked out
    """

    spec: SweepSpec
    configurations: tuple[Configuration, ...]
    trials: tuple[TrialSpec, ...]
    notes: tuple[str, ...] = ()
    growth: Growth | None = None
    price: Price | None = None

    def __repr__(self) -> str:
        """Name and size only: a plan lists every setting of every trial."""
        return f"Plan({self.spec.name!r}, configurations={len(self.configurations)}, trials={len(self.trials)})"

    def _repr_html_(self) -> str:
        """The plan as a notebook shows it: how many trials there are, and the price on each axis in its unit."""
        size = f"{len(self.trials)} trials" if self.complete else "trials are proposed while it runs"
        head = f"<p><strong>{escape(self.spec.name)}</strong>: {size}</p>"
        if self.price is None:
            return head
        rows = [
            (axis, bound.most, bound.expected, *(bound.interval or (None, None)), bound.source or bound.reason)
            for axis, bound in self.price.bounds.items()
        ]
        columns = ["axis", "at most", "expected", "80 % from", "80 % to", "measured in, or why not known"]
        table = pd.DataFrame(rows, columns=columns)
        return head + table.to_html(index=False, na_rep="–", float_format="{:.5g}".format, border=0)

    @property
    def complete(self) -> bool:
        """Whether every configuration is known before anything has run."""
        return self.growth is None

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
        known = [trial.settings.training.epochs for trial in self.trials]
        return max([*known, *(() if self.growth is None else self.growth.epochs)])

    @property
    def size(self) -> int | None:
        """The number of configurations in all; None if it is not known before the search ends."""
        return len(self.configurations) if self.growth is None else self.growth.size

    def grown(self, proposals: Sequence[Mapping[str, Value]]) -> Plan:
        """An open plan with the configurations that the search has proposed: searched path -> value of each.

        Without any, the plan as it is: with the one that the search proposes first. InputError if values do not fit.
        """
        if self.growth is None or not proposals:
            return self
        made = tuple(self.growth.configuration(number, values) for number, values in enumerate(proposals))
        return replace(self, configurations=made, trials=tuple(trials_of(self.spec, made)))

    def trials_of_proposal(self, number: int, values: Mapping[str, Value]) -> tuple[TrialSpec, ...]:
        """The trials of configuration `number` (from 0) of an open plan. InputError if the values do not fit."""
        if self.growth is None:
            raise StateError("the plan is complete: it has no further configuration")
        trials = tuple(trials_of(self.spec, (self.growth.configuration(number, values),)))
        return tuple(replace(trial, index=number * len(trials) + trial.index) for trial in trials)

    def new_scheduler(self) -> Scheduler:
        """A running scheduler that has seen nothing yet, over the plan's trials; those of an open plan enter later.

        Of an open plan it has the first configuration only. InputError if it could never stop anything.
        """
        if self.growth is None:
            return self._scheduler(self.groups)
        first, trials = next(iter(self.groups.items()))
        size = math.inf if self.growth.size is None else self.growth.size
        return self._scheduler({first: trials}, later=size - 1)

    def expected_scheduler(self) -> Scheduler:
        """The scheduler over all configurations that there will be, as far as their number is known: for a price."""
        if self.growth is None or self.growth.size is None:
            return self.new_scheduler()
        return self._scheduler(self.expected_groups)

    @property
    def expected_groups(self) -> dict[str, tuple[str, ...]]:
        """Configuration -> names of its trials, of all that there will be, as far as their number is known."""
        if self.growth is None or self.growth.size is None:
            return self.groups
        seeds = [name for name, _, _ in repetitions(self.spec.seeds)]
        names = islice(map(configuration_name, count()), self.growth.size)
        return {name: tuple(f"{name}-{seed}" for seed in seeds) for name in names}

    def _scheduler(self, groups: Mapping[str, Sequence[str]], later: float = 0) -> Scheduler:
        spec = self.spec
        settings, mode = spec.scheduler.to_json(), spec.metric.mode
        return build(
            settings,
            max_epochs=self.max_epochs,
            groups=groups,
            mode=mode,
            later=later,
            reports_per_epoch=spec.training.reports_per_epoch,
            objectives=spec.objectives,
        )

    def possible_settings(self) -> Iterator[Settings]:
        """The settings of the known configurations, and of an open plan those that its space could lead to.

        Of a space, each value of each choice in the first configuration: enough to find what trials read.
        """
        yield from (configuration.settings for configuration in self.configurations)
        if self.growth is not None:
            yield from self.growth.possible_settings(self.configurations[0].searched)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over what determines which numbers the sweep can show: its trials and its scheduler.

        Budget, resources, prices and tracking may change between two sessions of a sweep; these may not. Of an open
        plan: what the trials follow from, that is, the search, the space, the seeds and everything not searched.
        """
        spec = self.spec
        content: dict[str, Any] = {"scheduler": {"name": spec.scheduler.name, **spec.scheduler.options}}
        if compares_objectives(scheduler_of(spec.scheduler.to_json())):
            content["objectives"] = list(spec.objectives)
        if self.growth is None:
            content["trials"] = [[trial.trial, trial.fingerprint] for trial in self.trials]
        else:
            whole = spec.model_dump(mode="json")
            several = ("objectives",) if len(spec.objectives) > 1 else ()
            names = (*SECTIONS, "space", "search", "seeds", *several)
            # Without a section that may be left out older sweeps keep their fingerprints.
            content["open"] = {name: whole[name] for name in names if whole[name] is not None}
            if self.growth.earlier:
                content["earlier"] = [one.to_json() for one in self.growth.earlier]
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def trials_of(spec: SweepSpec, configurations: Sequence[Configuration]) -> Iterator[TrialSpec]:
    """All seeds (and folds) of a configuration behind one another; in rounds, all configurations of one of them.

    Trained models of other sweeps that a configuration names are looked up now.
    """
    repeated = repetitions(spec.seeds)
    known: dict[str, dict[str, str]] = {}
    for configuration in configurations:
        if (names := canonical_json(origins_of(configuration.settings))) not in known:
            known[names] = identities(configuration.settings)
    if spec.seeds.rounds:
        wanted = [(configuration, one) for one in repeated for configuration in configurations]
    else:
        wanted = [(configuration, one) for configuration in configurations for one in repeated]
    for index, (configuration, (name, seeds, fold)) in enumerate(wanted):
        yield TrialSpec(
            trial=f"{configuration.name}-{name}",
            configuration=configuration.name,
            index=index,
            settings=configuration.settings,
            searched=configuration.searched,
            seeds=seeds,
            fold=fold,
            origins=known[canonical_json(origins_of(configuration.settings))],
        )
