"""docs/sweep-file.md: its examples are real, and it names every field with its default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from greenexp.plan import make_plan
from greenexp.records.axes import AXES
from greenexp.records.search_space import DISTRIBUTIONS
from greenexp.records.sweep_spec import SweepSpec
from greenexp.schedulers import SCHEDULERS
from greenexp.searches import SEARCHES
from greenexp.spec import load_sweep

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "sweep-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_an_example_can_be_planned(example: str) -> None:
    assert make_plan(load_sweep(example)).trials


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_sweep_can_be_planned(path: Path) -> None:
    assert make_plan(load_sweep(path)).trials


def row(section: str, field: str) -> str:
    """The table row of a field in its section."""
    chapter = re.search(rf"^## `{section}`\n(.*?)(?=^## |\Z)", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert chapter is not None, section
    found = re.search(rf"^\| `{field}` \|.*$", chapter[1], flags=re.MULTILINE)
    assert found is not None, f"{section}.{field}"
    return found[0]


@pytest.mark.parametrize("section", ["training", "metric", "seeds", "resources", "accounting", "tracking"])
def test_every_field_is_listed_with_its_default(section: str) -> None:
    default = SweepSpec.model_fields[section].default
    for field in type(default).model_fields:
        value = getattr(default, field)
        cells = [cell.strip() for cell in row(section, field).split("|")]
        written = {"True": "true", "False": "false", "None": "null", "2e-05": "2e-5", "0.0": "0"}.get(
            str(value), str(value)
        )
        assert f"`{written}`" in cells, f"{section}.{field}: {cells} does not say {written}"


def test_policies_are_listed_with_their_default() -> None:
    cells = [cell.strip() for cell in row("replay", "policies").split("|")]
    written = ", ".join(policy.name for policy in SweepSpec.model_fields["replay"].default.policies)
    assert f"`[{written}]`" in cells


def test_every_scheduler_is_listed_with_its_fields() -> None:
    for name in SCHEDULERS:
        assert all(f"`{field.name}`" in row("scheduler", name) for field in dataclasses.fields(SCHEDULERS[name]))


def test_every_section_axis_distribution_and_search_is_listed() -> None:
    for section in SweepSpec.model_fields:
        assert f"| `{section}` |" in TEXT
    for axis in AXES:
        assert row("budget", axis)
    for name, model in DISTRIBUTIONS.items():
        assert all(f"`{field}`" in row("space", name) for field in model.model_fields if field != "dist")
    for name in SEARCHES:
        assert all(f"`{field.name}`" in row("search", name) for field in dataclasses.fields(SEARCHES[name]))
