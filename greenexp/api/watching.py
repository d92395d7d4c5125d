"""What a run, or a service, tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenexp.api.engines import ServedModel
    from greenexp.assets import Asset
    from greenexp.journal.events import Event
    from greenexp.journal.state import SweepState
    from greenexp.plan import Plan


class Watcher:
    """A watcher of a run that shows nothing. Derive from it, and override what is to be shown."""

    def fetching(self, name: str, asset: Asset) -> None:
        """A corpus or a checkpoint that is not on this machine is about to be fetched."""

    def planned(self, plan: Plan) -> None:
        """The sweep has been planned and priced; nothing has run."""

    def began(self, state: SweepState) -> None:
        """The journal is open; `state` goes on changing with every event."""

    def event(self, event: Event) -> None:
        """An event is on disk, and the state has taken it in."""

    def interrupted(self) -> None:
        """The first Ctrl-C: the running epochs end, and their trials are saved."""

    def ended(self) -> None:
        """No further event will come; what is left is the report and MLflow."""

    def broken_off(self, reason: str) -> None:
        """A part of Ray has died, and the process is about to be ended."""

    def remark(self, subject: str, text: str) -> None:
        """Something that the user should know, and that does not keep the sweep from going on."""


class ServiceWatcher:
    """A watcher of a service that shows nothing. Derive from it, and override what is to be shown."""

    def bound(self, address: str, *, loopback: bool) -> None:
        """The address is taken; loopback: only programs on this machine can reach it."""

    def loaded(self, model: ServedModel) -> None:
        """The model is there."""

    def ready(self, address: str, example: Mapping[str, Any]) -> None:
        """Requests are answered from now on; example: the body of one that this model answers."""
