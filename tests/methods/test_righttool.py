"""RightTool: which exits it chooses, which it refuses. Its gradients and costs are rows of the case table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from method_cases import MIX, Case

from greenexp.errors import InputError
from greenexp.methods.base import TrialShape
from greenexp.methods.righttool import RightTool, usual_layers


def shape(layers: int, exit_layers: tuple[int, ...] | None = None) -> TrialShape:
    return TrialShape(exit_layers or tuple(range(1, layers + 1)), layers, 2, 3)


def test_the_official_layers():
    """0, 4, 12, 23 of 24 and 0, 3, 5, 11 of 12 when counted from 0."""
    assert usual_layers(24) == (1, 5, 13, 24)
    assert usual_layers(12) == (1, 4, 6, 12)


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (4, (1, 2, 4)), (6, (1, 2, 3, 6)), (36, (3, 12, 18, 36))],
)
def test_the_like_of_other_depths(layers: int, chosen: tuple[int, ...]):
    assert usual_layers(layers) == chosen


@given(st.integers(1, 200))
def test_they_rise_and_end_with_the_last(layers: int):
    chosen = usual_layers(layers)
    assert list(chosen) == sorted(set(chosen))
    assert chosen[0] >= 1
    assert chosen[-1] == layers
    assert len(chosen) <= 4


def test_only_the_chosen_exits_are_ever_trained_or_evaluated():
    run = RightTool().begin(shape(12))
    assert run.stage(1).exits == run.trained_exits(3) == (1, 4, 6, 12)
    (only,) = run.passes(1, 0)
    assert (only.exits, only.backward) == ((1, 4, 6, 12), ((1, 4, 6, 12),))
    placed = RightTool(layers=(4, 12)).begin(shape(12, (2, 4, 12)))
    assert placed.trained_exits(1) == (2, 3)


def test_an_exit_that_the_model_lacks_is_named():
    with pytest.raises(InputError, match=r"after 4, 6.*\[1, 3, 12\]"):
        RightTool().begin(shape(12, (1, 3, 12)))
    with pytest.raises(InputError, match="after 13"):
        RightTool(layers=(1, 13)).begin(shape(12))


@pytest.mark.parametrize("layers", [(), (0, 3), (3, 1), (2, 2)])
def test_layers_must_rise(layers: Any):
    with pytest.raises(InputError, match="rising"):
        RightTool(layers=layers)


def test_the_other_heads_and_their_mixes_get_no_gradient(make_trial, make_batch):
    trial = make_trial(Case({"name": "righttool", "layers": [1, 3]}, (1, 0, 1), head=MIX))
    trial.run.step(trial.context(make_batch()))
    with_gradient = {name for name in trial.gradients() if name.startswith("heads.")}
    assert with_gradient == {
        f"heads.{n}.{name}" for n in (0, 2) for name in ("mix", "classifier.weight", "classifier.bias")
    }


def test_its_head():
    assert RightTool.defaults == {"exits.head": {"name": "scalar_mix"}}
