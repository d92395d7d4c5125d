"""A notice that this node will be taken away: by a cloud's spot market, an autoscaler, or `ray drain-node`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

LOOK_S = 2.0
"""Seconds between two questions to Ray's head, each of which takes about a millisecond."""


class LeavingNotice:
    """Whether the node of this process is to leave. Ask it as often as you like.

    draining: node -> when it will be gone, of the nodes that Ray drains; node: of this process
    """

    def __init__(
        self,
        draining: Callable[[], Mapping[str, int]],
        node: Callable[[], str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._draining, self._node, self._clock = draining, node, clock
        self._looked_at: float | None = None
        self._has_come = False

    @classmethod
    def of_this_node(cls) -> LeavingNotice:
        """By Ray, which must be up. Ray has no public call for it: where a later one has none, no notice ever comes."""
        import ray
        from ray._private import state

        found = getattr(getattr(state, "state", None), "get_draining_nodes", dict)
        return cls(found, lambda: str(ray.get_runtime_context().get_node_id()))

    def has_come(self) -> bool:
        """Whether it has; asked of Ray at most once in LOOK_S seconds, and no more once it has."""
        now = self._clock()
        if not self._has_come and (self._looked_at is None or now - self._looked_at >= LOOK_S):
            self._looked_at = now
            try:
                self._has_come = self._node() in self._draining()
            except Exception:  # a head that is away for a moment must not fail a trial
                return False
        return self._has_come
