"""A clock that moves when told, and contestants that take exactly as long as they are told."""

from __future__ import annotations

from collections.abc import Callable

from greenexp.inference import Tokens
from greenexp.inference.bench import Contestant, Stopwatch
from greenexp.inference.bench.protocol import Request


class MadeClock:
    """Stands still until work passes time. `log`: who answered which length, and each wait for the device."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.log: list[tuple[str, int]] = []

    def stopwatch(self) -> Stopwatch:
        return Stopwatch(lambda: self.now_s, lambda: self.log.append(("synchronise", 0)))

    def contestant(self, name: str, seconds: Callable[[Request], float]) -> Contestant:
        def answer(request: Request) -> list[int]:
            self.log.append((name, len(request[0].ids)))
            self.now_s += seconds(request)
            return [0] * len(request)

        return Contestant(name, answer)

    @property
    def answered(self) -> list[tuple[str, int]]:
        return [entry for entry in self.log if entry[0] != "synchronise"]


def of_lengths(*lengths: int) -> list[Tokens]:
    return [Tokens([1] * length) for length in lengths]
