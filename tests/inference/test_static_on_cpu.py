"""`benchmarks/static_on_cpu.py`: its tables over contestants whose speed and answers are known."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

from greenexp.inference import Tokens
from greenexp.inference.bench import Contestant, Protocol, Stopwatch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import static_on_cpu

TEXTS = [Tokens([1 + place] * (1 + 3 * place % 5)) for place in range(8)]


class Clock:
    """Time passes only while a contestant answers."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def contestant(self, name: str, each_s: float, wrong: int = 0) -> Contestant:
        """Answers each text's token modulo 2 in `each_s`, but for the texts with the lowest `wrong` tokens."""

        def answer(request: Any) -> list[int]:
            self.now_s += each_s * len(request)
            return [(one.ids[0] + (one.ids[0] <= wrong)) % 2 for one in request]

        return Contestant(name, answer)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    watch = Stopwatch(lambda: made.now_s, lambda: None)
    monkeypatch.setattr(static_on_cpu.Stopwatch, "of", lambda _: watch)
    return made


def cells(rows: Any) -> list[list[str]]:
    _, rule, *lines = itertools.chain.from_iterable(row.split("\n") for row in rows)
    assert set(rule) <= {"|", "-"}
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_seconds_are_told_over_the_fastest_that_leaves_early(clock: Clock, size: int) -> None:
    all_of_them = [
        clock.contestant("engine, a, leaves early", 0.004),
        clock.contestant("engine, b, leaves early", 0.002),
        clock.contestant("static, whole", 0.003),
        clock.contestant("static, cut", 0.001),
    ]
    rows = cells(static_on_cpu.timed_rows(all_of_them, TEXTS, size, Protocol(repeats=3, warm_ups=1)))
    assert [row[0] for row in rows] == [
        "static, cut",
        "engine, b, leaves early",
        "static, whole",
        "engine, a, leaves early",
    ]
    assert [row[1].split()[0] for row in rows] == ["0.50", "1.00", "1.50", "2.00"]
    assert [row[2] for row in rows] == ["1.00", "2.00", "3.00", "4.00"], "milliseconds per text"


def test_accuracy_is_of_the_same_texts_whatever_their_order(clock: Clock) -> None:
    labels = [one.ids[0] % 2 for one in TEXTS]
    labels[0] = 1 - labels[0]
    all_of_them = [
        clock.contestant("right", 1),
        clock.contestant("wrong on 2", 1, wrong=2),
        clock.contestant("plain", 1),
    ]
    rows = cells(static_on_cpu.scored_rows(all_of_them, TEXTS, labels))
    assert rows == [["right", "0.8750", "100.0%"], ["wrong on 2", "0.8750", "75.0%"], ["plain", "0.8750", "100.0%"]]
