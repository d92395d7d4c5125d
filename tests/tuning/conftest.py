"""Fixtures of this room's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_ins import Sweep

from greenexp.tuning.conductor import Conductor


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


@pytest.fixture
def opened(sweep: Sweep) -> Iterator[Callable[..., Conductor]]:
    """`opened(**options)`: a session; its journal is closed afterwards, as by a killed driver."""
    conductors: list[Conductor] = []

    def open_session(**options: Any) -> Conductor:
        for conductor in conductors:
            conductor.journal.close()
        conductors.append(sweep.open(**options))
        return conductors[-1]

    yield open_session
    for conductor in conductors:
        conductor.journal.close()
