"""Sizes that no machine could train: said at their place, before anything is built."""

from __future__ import annotations

import pytest

from greenexp.errors import SweepFileError
from greenexp.plan import make_plan
from greenexp.spec import load_sweep

TEXT = """\
name: large
task: {name: clauses, train: 64, dev: 32}
backbone: {name: bert, layers: 2, hidden: 32, heads: 2}
"""


@pytest.mark.parametrize(
    "override",
    ["backbone.hidden=1099511627776", "backbone.layers=1000000000", "training.epochs=10000000", "backbone.heads=99999"],
)
def test_a_size_out_of_reach_is_refused_at_its_place(override: str) -> None:
    with pytest.raises(SweepFileError, match=override.partition("=")[0]):
        make_plan(load_sweep(TEXT, [override]))
