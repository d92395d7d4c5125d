"""`import greenexp`: what it offers, that it is light, and that what its docstrings say happens."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import greenexp

NEEDS_A_SWEEP = {"Sweep", "load", "run"}
"""Names whose examples look into the folder of a sweep that was run."""


def test_the_public_names_are_few_and_all_are_there() -> None:
    assert len(greenexp.__all__) <= 15
    assert sorted(greenexp.__all__) == greenexp.__all__
    assert {*dir(greenexp)} == {*greenexp.__all__, "__version__"}
    for name in dir(greenexp):
        assert getattr(greenexp, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = greenexp.nothing_of_the_kind


def test_importing_it_loads_no_library() -> None:
    code = "import json, sys, greenexp; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    assert not set(loaded) & {"torch", "ray", "mlflow", "pandas", "numpy", "scipy", "pydantic", "transformers"}


@pytest.mark.parametrize("name", [name for name in greenexp.__all__ if name not in NEEDS_A_SWEEP])
def test_the_example_of_a_name_is_true(name: str) -> None:
    assert_examples_are_true(getattr(greenexp, name))


@pytest.mark.cluster
@pytest.mark.slow
def test_the_examples_of_a_sweep_are_true(tmp_path: Path) -> None:
    for name in ("run", "load", "Sweep"):  # `load` and `Sweep` open what `run` ran
        assert_examples_are_true(getattr(greenexp, name), folder=str(tmp_path / "sweep"))


def assert_examples_are_true(documented: Any, **names: object) -> None:
    """The docstring has examples, and each prints what it says."""
    examples = doctest.DocTestParser().get_doctest(documented.__doc__, names, documented.__name__, None, None)
    assert examples.examples, "a public name has an example"
    told: list[str] = []
    doctest.DocTestRunner().run(examples, out=told.append)
    assert not told, "".join(told)
