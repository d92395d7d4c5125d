"""What makes a study that is asked once cheap: trials that are known are neither copied nor compared value by value.

Optuna's own storage in memory copies every trial that it is given, so that a search that is asked for its n-th proposal
by a study of its own copies n trials. Samplers do not change the trials that they read; so here they are not copied,
and a search keeps what it has made of its history.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_STUDY = 0


class Places(CategoricalDistribution):
    """A choice over places of values that is equal to itself at once: samplers compare it with each known trial's."""

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, CategoricalDistribution) and self.choices == tuple(other.choices))

    __hash__ = CategoricalDistribution.__hash__


def _not_asked() -> RuntimeError:
    return RuntimeError("a study over known trials is asked for one more and nothing else")


class KnownTrials(BaseStorage):
    """One study over `known`, whose numbers and ids are their places in the list, and one trial more, which is asked.

    The known ones cannot be changed: UpdateFinishedTrialError for those that ended, RuntimeError for running ones. What
    a study that is asked once does not need raises RuntimeError.
    Not for threads.
    """

    def __init__(self, known: Sequence[FrozenTrial]) -> None:
        self._known = len(known)
        self._trials = list(known)
        self._name = ""
        self._directions: list[StudyDirection] = []
        self._user_attrs: dict[str, Any] = {}
        self._system_attrs: dict[str, Any] = {}

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """The one study."""
        self._directions, self._name = list(directions), study_name or "known trials"
        return _STUDY

    def delete_study(self, study_id: int) -> None:
        """See `BaseStorage`; there is nothing without the study."""
        raise _not_asked()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """See `BaseStorage`."""
        self._user_attrs = {**self._user_attrs, key: value}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """See `BaseStorage`."""
        self._system_attrs = {**self._system_attrs, key: value}

    def get_study_id_from_name(self, study_name: str) -> int:
        """See `BaseStorage`."""
        if study_name != self._name:
            raise KeyError(study_name)
        return _STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        """See `BaseStorage`."""
        return self._name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """See `BaseStorage`."""
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """See `BaseStorage`."""
        return self._user_attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """See `BaseStorage`."""
        return self._system_attrs

    def get_all_studies(self) -> list[Any]:
        """See `BaseStorage`; nobody looks for a study here."""
        raise _not_asked()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """The trial that is asked for; no trial is copied in, as `known` holds them."""
        if template_trial is not None:
            raise _not_asked()
        number = len(self._trials)
        asked = FrozenTrial(number, TrialState.RUNNING, None, None, None, {}, {}, {}, {}, {}, number)
        self._trials.append(asked)
        return number

    def set_trial_param(self, trial_id: int, param_name: str, param_value_internal: float, distribution: Any) -> None:
        """See `BaseStorage`."""
        trial = self._copy(trial_id)
        trial.params = {**trial.params, param_name: distribution.to_external_repr(param_value_internal)}
        trial.distributions = {**trial.distributions, param_name: distribution}
        self._trials[trial_id] = trial

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """See `BaseStorage`; the trial that was asked for never ends here."""
        raise _not_asked()

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """See `BaseStorage`; the trial that was asked for has no values here."""
        raise _not_asked()

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """See `BaseStorage`."""
        trial = self._copy(trial_id)
        trial.user_attrs = {**trial.user_attrs, key: value}
        self._trials[trial_id] = trial

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """See `BaseStorage`."""
        trial = self._copy(trial_id)
        trial.system_attrs = {**trial.system_attrs, key: value}
        self._trials[trial_id] = trial

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """See `BaseStorage`."""
        return self._trials[trial_id]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """See `BaseStorage`."""
        trials = [trial for trial in self._trials if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def _copy(self, trial_id: int) -> FrozenTrial:
        """A shallow one, as lists that were handed out must stay as they are."""
        trial = self._trials[trial_id]
        self.check_trial_is_updatable(trial_id, trial.state)
        if trial_id < self._known:
            raise RuntimeError(f"trial {trial_id} is known, and cannot be changed")
        return copy.copy(trial)
