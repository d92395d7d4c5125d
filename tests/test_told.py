"""That the other tests can fail."""

from __future__ import annotations

import pytest
from told import tells


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ("3", True),
        ("f:3:1: a: … 'b'", True),
        ("'b' … f:3:1", False),
        ("f:3:1: a: … 'c'", False),
        ("expected … expected", False),
    ],
)
def test_parts_stand_in_their_order_and_apart(facts: str, told: bool) -> None:
    assert tells("f:3:1: a: expected 'b', got 3", facts) == told
