"""`--set path=value`: one value of a sweep file, changed from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from greenexp.errors import Problem, SweepFileError
from greenexp.records.places import Place, dotted
from greenexp.records.sections import Component
from greenexp.records.sweep_spec import SweepSpec
from greenexp.spec.yaml12 import Tree, parse

SOURCE = "--set"


def _is_keyed_by_paths(pattern: tuple[str, ...]) -> bool:
    """Whether the keys of the mapping there are dotted paths: the space, its conditions, and what a search lists."""
    lists = len(pattern) == 3 and pattern[0] == "search" and pattern[2] == "*"
    return pattern == ("space",) or lists or (len(pattern) == 3 and pattern[0] == "space" and pattern[2] == "when")


def apply(tree: Tree, overrides: Sequence[str]) -> None:
    """Set each `path=value` in the tree, in order; the value is YAML 1.2.

    A list item is addressed by its number from 0. Sections and fields that the file leaves out are added, so that a
    wrong name is found by the same check as in the file. What cannot be set becomes a problem of the tree.
    """
    for override in overrides:
        path, equals, text = override.partition("=")
        path = path.strip()
        if not equals or not path or "" in path.split("."):
            tree.problems.append(Problem("", f"expected path=value, got '{override}'", SOURCE))
            continue
        try:
            value = parse(text, SOURCE, lines=False)
        except SweepFileError as error:
            tree.problems += [Problem(path, problem.message, SOURCE) for problem in error.problems]
            continue
        tree.problems += [Problem(dotted(path, p.path), p.message, SOURCE) for p in value.problems]
        _set(tree, path, value)


def _set(tree: Tree, path: str, value: Tree) -> None:
    container, done, rest = tree.data, "", path.split(".")
    pattern: tuple[str, ...] = ()
    while True:
        key = _next_key(container, rest, pattern)
        used = key.count(".") + 1
        done, rest = dotted(done, key), rest[used:]
        pattern = (*pattern, "*" if isinstance(container, list) else key)
        step = _step(container, key)
        if step is None:
            tree.problems.append(Problem(path, _impossible(container, done, key), SOURCE))
            return
        if not rest:
            container[step] = value.data
            _move_places(tree, done, value)
            return
        if isinstance(container, dict) and container.get(step) is None:
            container[step] = _absent(done)
            tree.places.setdefault(done, Place(SOURCE))
        container = container[step]


def _absent(path: str) -> dict[str, Any]:
    """What a section that the file leaves out holds before one of its fields is set: the default plug-in's name."""
    default: Any = None
    for part in path.split("."):
        fields = SweepSpec.model_fields if default is None else type(default).model_fields
        field = fields.get(part)
        default = field.default if field else None
        if not isinstance(default, BaseModel):
            return {}
    return default.model_dump() if isinstance(default, Component) else {}


def _next_key(container: Any, rest: list[str], pattern: tuple[str, ...]) -> str:
    """The key meant next: usually one part of the path, in mappings keyed by paths as many as fit."""
    if not _is_keyed_by_paths(pattern) or not isinstance(container, dict):
        return rest[0]
    prefixes = [".".join(rest[:n]) for n in range(len(rest), 0, -1)]
    return next((prefix for prefix in prefixes if prefix in container), prefixes[0])


def _step(container: Any, key: str) -> Any:
    """How to index `container` by `key`, or None if that is impossible."""
    if isinstance(container, dict):
        return key
    if isinstance(container, list) and key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(container):
        return int(key)
    return None


def _impossible(container: Any, done: str, key: str) -> str:
    parent = done[: -len(key) - 1]
    if isinstance(container, list):
        numbers = f"0 to {len(container) - 1}" if container else "none, it is empty"
        return f"'{parent}' is a list: '{key}' is not one of its numbers ({numbers})"
    return f"'{parent}' is a single value, so there is nothing inside it to set"


def _move_places(tree: Tree, path: str, value: Tree) -> None:
    """Forget the places of what was replaced, and note the new ones."""
    for old in [p for p in tree.places if p == path or p.startswith(f"{path}.")]:
        del tree.places[old]
    tree.places[path] = Place(SOURCE)
    for inner, place in value.places.items():
        tree.places[dotted(path, inner)] = place
