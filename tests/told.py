"""Facts that a message tells: its place, names and numbers, whatever the sentence around them."""

from __future__ import annotations


def tells(message: str, facts: str) -> bool:
    """Whether the parts of `facts`, which " … " separates, stand in `message` in this order."""
    at = 0
    for part in facts.split(" … "):
        found = message.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True
