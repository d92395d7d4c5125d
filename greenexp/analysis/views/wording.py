"""Counts and bounds in the sentences of views."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def with_article(bound: str) -> str:
    """`a lower bound`, `an upper bound`."""
    return f"{'an' if bound[:1] in 'aeiou' else 'a'} {bound}"


def ordinal(number: int) -> str:
    """`best`, `2nd best`, `3rd best`, ..."""
    if number == 1:
        return "best"
    teens = 10 <= number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')} best"


def told_apart(value: float, other: float) -> tuple[str, str]:
    """Both with 4 digits, or as many more as it takes to tell them apart."""
    for digits in range(4, 10):
        pair = f"{value:.{digits}g}", f"{other:.{digits}g}"
        if pair[0] != pair[1] or value == other:
            return pair
    return pair
