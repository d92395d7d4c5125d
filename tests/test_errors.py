"""Errors tell the user what, where and what instead."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from greenexp import errors
from greenexp.errors import (
    DivergedError,
    GreenexpError,
    InputError,
    Problem,
    SweepFileError,
    TrialError,
    UnknownNameError,
    did_you_mean,
    user_path,
)


def test_everything_raised_on_purpose_has_one_base() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert len(kinds) > 8
    assert all(issubclass(kind, GreenexpError) for kind in kinds)


def test_a_problem_says_where_it_is() -> None:
    assert str(Problem("a.b", "is wrong", "x.yaml", 3, 7)) == "x.yaml:3:7: a.b: is wrong"
    assert str(Problem("a.b", "is wrong", "--set")) == "--set: a.b: is wrong"
    assert str(Problem("", "is empty", "x.yaml", 1, 1)) == "x.yaml:1:1: is empty"


def test_problems_come_all_at_once_in_the_order_of_the_file() -> None:
    error = SweepFileError(
        [
            Problem("c", "3", "x", 9, 1),
            Problem("b", "2", "x", 2, 5),
            Problem("z", "0", "--set"),
            Problem("a", "1", "x", 2, 5),
        ]
    )
    assert str(error).splitlines() == ["--set: z: 0", "x:2:5: a: 1", "x:2:5: b: 2", "x:9:1: c: 3"]
    assert isinstance(error, InputError)


def test_an_unknown_name_is_met_with_the_nearest_and_all() -> None:
    error = UnknownNameError("method", "brachynet", ["branchynet", "pabee"])
    assert str(error) == "unknown method 'brachynet' (did you mean 'branchynet'?) (known: branchynet, pabee)"
    assert str(UnknownNameError("method", "x", [])) == "unknown method 'x' (known: none)"


@pytest.mark.parametrize(
    ("name", "hint"), [("asah", " (did you mean 'asha'?)"), ("ASHA", ""), ("zzz", ""), ("", "")]
)  # fmt: skip
def test_did_you_mean(name: str, hint: str) -> None:
    assert did_you_mean(name, ["asha", "fifo"]) == hint


@pytest.mark.parametrize(
    "error",
    [
        DivergedError("train_loss", float("inf"), 12), TrialError("x"),
        UnknownNameError("method", "a", ["b"]), SweepFileError([Problem("a", "b", "c", 1, 2)]),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_errors_travel_between_processes(error: GreenexpError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  (as Ray does, with what it wrote itself)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


def test_divergence_says_what_and_when() -> None:
    assert str(DivergedError("train_loss", float("nan"), 7)) == "train_loss became nan at optimiser step 7"


def test_a_tilde_is_the_folder_of_a_user_who_is_known() -> None:
    assert user_path("~/texts") == Path.home() / "texts"
    with pytest.raises(InputError, match="~nobody-of-that-name"):
        user_path("~nobody-of-that-name/texts")
