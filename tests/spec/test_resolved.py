"""The resolved file means what the written one means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.spec import SweepSpec, dump_resolved, json_schema, load_sweep, resolved

SMOKE = Path(__file__).parents[2] / "sweeps" / "smoke.yaml"

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
awkward = st.sampled_from(
    ["1e-4", "yes", "no", "null", "~", "", " ", "0o17", ".inf", "0x1", "- a", "a: b", "#", "\t", "\n"]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | finite | text | awkward,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(text.filter(bool) | awkward.filter(bool), v, max_size=3),
    max_leaves=8,
)
field = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda key: key != "name")
options = st.dictionaries(field, plain, max_size=4)
positive = st.floats(1e-300, 1e300)


@settings(max_examples=100, deadline=None)
@given(options, options, positive, st.integers(1, 9), st.integers(0, 2**63 - 1), positive)
def test_what_is_dumped_loads_back_as_an_equal_sweep(
    task: dict[str, Any], head: dict[str, Any], rate: float, count: int, root: int, limit: float
) -> None:
    data = {
        "name": "x",
        "task": {"name": "a", **task},
        "exits": {"layers": [1, 3], "head": {"name": "b", **head}},
        "training": {"learning_rate": rate},
        "space": {"training.epochs": {"dist": "int", "low": 1, "high": 1 + count}},
        "search": {"name": "random", "samples": count},
        "seeds": {"root": root, "initialisation": count},
        "budget": {"energy_j": limit},
    }
    spec = SweepSpec.model_validate(data)
    again = load_sweep(dump_resolved(spec)).checked()
    assert again == spec
    assert resolved(again) == resolved(spec)
    assert json.loads(json.dumps(resolved(spec))) == resolved(spec)


@pytest.mark.parametrize(
    "search",
    [
        {"name": "grid"},
        {"name": "points", "points": [{"training.epochs": 1, "method.weights": "no"}, {"method.weights": None}]},
    ],
)
def test_other_searches_load_back_too(search: dict[str, Any]) -> None:
    space = {"method.weights": {"dist": "choice", "values": ["1e-4", 1e-4, True, None, 1]}} if len(search) == 1 else {}
    spec = SweepSpec.model_validate({"name": "x", "task": {"name": "a"}, "search": search, "space": space})
    assert load_sweep(dump_resolved(spec)).checked() == spec


def test_the_smoke_sweep_is_valid_and_stays_so() -> None:
    spec = load_sweep(SMOKE).checked()
    assert spec.name == "smoke"
    assert load_sweep(dump_resolved(spec)).checked() == spec


def test_every_default_is_written_out() -> None:
    data = resolved(load_sweep("name: x\ntask: {name: a}").checked())
    assert list(data) == list(SweepSpec.model_fields)
    assert data["training"]["clip_norm"] == 1.0
    assert data["budget"]["wall_s"] is None


class TestSchema:
    def test_it_agrees_with_the_smoke_sweep(self) -> None:
        import jsonschema

        validator = jsonschema.Draft202012Validator(json_schema())
        data = load_sweep(SMOKE).data
        assert list(validator.iter_errors(data)) == []
        wrong = {**data, "training": {"epoch": 3}, "budget": {"wall": 1}}
        assert {error.json_path for error in validator.iter_errors(wrong)} == {"$.training", "$.budget"}

    def test_names_are_offered(self) -> None:
        import jsonschema

        schema = json_schema({"task": ("clauses",), "exits.head": ("linear",)})
        validator = jsonschema.Draft202012Validator(schema)
        data = {"name": "x", "task": {"name": "clause"}, "exits": {"head": {"name": "lin"}}}
        assert {error.json_path for error in validator.iter_errors(data)} == {"$.task.name", "$.exits.head.name"}

    def test_every_field_is_described(self) -> None:
        schema = json_schema()
        for section in (schema, *schema["$defs"].values()):
            for name, field in section["properties"].items():
                described = "description" in field or name in ("dist", "name")
                assert described, f"{section['title']}.{name}"
