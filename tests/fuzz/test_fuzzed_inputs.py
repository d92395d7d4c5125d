"""A sample of the changed inputs of `fuzzing`: an answer or a clear error, never a traceback or silence."""

from __future__ import annotations

import pytest
from fuzzing import Tally, fuzz

INPUTS = 240


@pytest.fixture(scope="module")
def tallies() -> dict[str, Tally]:
    return fuzz(INPUTS, seed=0)


def test_no_changed_input_ends_in_a_traceback(tallies: dict[str, Tally]) -> None:
    assert {name: tally.found for name, tally in tallies.items() if tally.found} == {}


def test_every_kind_is_refused_and_accepted_at_times(tallies: dict[str, Tally]) -> None:
    """Else the changes are too wild, or too tame, to find anything."""
    assert all(tally.refused and tally.accepted for tally in tallies.values()), tallies
