"""What a run tells whoever watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

    def remark(self, subject: str, text: str) -> None:
        """Something that the user should know, and that does not keep the sweep from going on."""
