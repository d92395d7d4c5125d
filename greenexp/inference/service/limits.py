"""What the service takes before it refuses, and the refusal."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """The service's limits.

    max_body_bytes: of a request, as sent; max_text: characters of one text; max_inputs: examples in one request
    max_queue: examples waiting for an answer, of all requests together
    timeout_s: for the head of a request to arrive, again for the body, and again for the answers
    shutdown_s: for what is in flight when it is stopped

    InputError for a limit below 1, and for a queue that the largest allowed request could never enter.
    """

    max_body_bytes: int = 1_000_000
    max_text: int = 20_000
    max_inputs: int = 64
    max_queue: int = 1_024
    timeout_s: float = 30.0
    shutdown_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_text", "max_inputs", "max_queue"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, received {getattr(self, name)}")
        if not (self.timeout_s > 0 and self.shutdown_s > 0):
            raise InputError("timeout_s and shutdown_s must be more than 0")
        if self.max_queue < self.max_inputs:
            raise InputError(f"max_queue ({self.max_queue}) is below max_inputs ({self.max_inputs})")


class RefusedError(Exception):
    """A request that is answered with an error: its status, the reason, and whether the connection ends with it."""

    def __init__(self, status: int, reason: str, *, close: bool = False, retry_after_s: int | None = None) -> None:
        self.status, self.reason, self.close, self.retry_after_s = status, reason, close, retry_after_s
        super().__init__(reason)

    @property
    def headers(self) -> dict[str, str]:
        """What the response says besides its body."""
        headers = {"connection": "close"} if self.close else {}
        return headers if self.retry_after_s is None else {**headers, "retry-after": str(self.retry_after_s)}
