"""Section `replay`: names or mappings, checked against the exit policies there are, each at its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sweep_plugins import HEAD, PLUGINS

from greenexp.errors import SweepFileError
from greenexp.exits import POLICIES
from greenexp.plan import Plan, editor_schema, make_plan
from greenexp.plan.policies import check_policies
from greenexp.records.policies import with_added
from greenexp.records.sections import Replay
from greenexp.records.values import canonical_json
from greenexp.spec import dump_resolved, load_sweep, resolved


def plan(text: str) -> Plan:
    return make_plan(load_sweep(HEAD + text, source="f"), PLUGINS)


def refusal(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        plan(text)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("text", "policies"),
    [
        ("", ["max_probability", "patience"]),
        ("replay: {}", ["max_probability", "patience"]),
        ("replay: {policies: []}", []),
        ("replay: {policies: [patience]}", ["patience"]),
        (
            "replay: {policies: [{name: patience}, {name: max_probability, comparator: '>'}]}",
            ["patience", {"name": "max_probability", "comparator": ">"}],
        ),
    ],
)
def test_what_may_be_written_and_what_is_recorded(text: str, policies: list[Any]) -> None:
    spec = plan(text).spec
    assert list(with_added((policy.to_json() for policy in spec.replay.policies), [])) == policies
    assert load_sweep(dump_resolved(spec)).checked() == spec
    json.dumps(resolved(spec))


@pytest.mark.parametrize(
    ("policies", "place", "words"),
    [
        ("[patience, patiense]", "f:6:31: replay.policies.1", "'patience'"),
        ("[{name: patience, comparitor: '>'}]", "f:6:38: replay.policies.0.comparitor", "'comparator'"),
        ("[{name: patience, comparator: '!'}]", "f:6:50: replay.policies.0.comparator", "expected"),
        ("[{name: patience, threshold: 0.5}]", "f:6:38: replay.policies.0.threshold", "every threshold"),
        ("[patience, {name: patience}]", "f:6:31: replay.policies.1", "replay.policies.0"),
        ("[mute]", "f:6:21: replay.policies.0", "'mute'"),
        ("[3]", "f:6:21: replay.policies.0", "expected a mapping"),
        ("[{comparator: '>'}]", "replay.policies.0.name", "is missing"),
        ("patience", "f:6:20: replay.policies", "expected a list"),
        ("[{name: patience, comparator: .inf}]", "f:6:50: replay.policies.0.comparator", "finite"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(policies: str, place: str, words: str) -> None:
    problems = refusal(f"replay: {{policies: {policies}}}")
    assert any(place in problem and words in problem for problem in problems), problems


def test_it_is_no_part_of_a_trial() -> None:
    one, other = plan("").trials, plan("replay: {policies: []}").trials
    assert [trial.fingerprint for trial in one] == [trial.fingerprint for trial in other]
    assert "replay" not in canonical_json(one[0].settings.to_json())


def test_it_cannot_be_searched() -> None:
    text = "space: {replay.policies: {dist: choice, values: [patience]}}\nsearch: {name: grid}"
    assert "'replay'" in refusal(text)[0]


def test_editors_are_offered_names_and_options() -> None:
    import jsonschema

    checker = jsonschema.Draft202012Validator(editor_schema(PLUGINS))

    def errors(policies: Any) -> int:
        data = {"name": "x", "task": {"name": "rows"}, "replay": {"policies": policies}}
        return len(list(checker.iter_errors(data)))

    assert errors(["patience", {"name": "patience", "comparator": ">"}]) == 0
    assert errors(["patiense"])
    assert errors([{"name": "patience", "comparitor": ">"}])
    assert errors("patience")


def test_which_of_two_parameters_is_replayed_depends_on_the_task() -> None:
    """On numbers it is the tolerance, at a patience the file may fix."""
    kept = Replay.model_validate(
        {"policies": [{"name": "patience", "patience": 1}, {"name": "voting", "exponent": 1.0}]}
    )
    assert list(check_policies(kept, POLICIES)) == []
    swept = Replay.model_validate({"policies": [{"name": "voting", "threshold": 1.0}, {"name": "static", "exit": 2}]})
    paths = [finding.path for finding in check_policies(swept, POLICIES)]
    assert paths == ["replay.policies.0.threshold", "replay.policies.1.exit"]
