"""Registries are lazy, forgiving of typing errors, and open to other packages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from greenexp import registry as module
from greenexp.errors import GreenexpError, UnknownNameError
from greenexp.registry import Registry

GROUP = "greenexp.tests"


@pytest.fixture
def provided(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[EntryPoint]]:
    """Entry points some package would provide; their module lies in a folder of its own."""
    points: list[EntryPoint] = []
    (tmp_path / "a_plug_in.py").write_text("class Third:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "entry_points", lambda group: [point for point in points if point.group == group])
    yield points
    sys.modules.pop("a_plug_in", None)


@pytest.fixture
def words() -> Registry[type]:
    return Registry("word", {"text": "builtins:str", "number": "builtins:int", "gone": "no.such.module:X"}, GROUP)


def test_a_name_gives_its_class(words: Registry[type], provided: list[EntryPoint]) -> None:
    assert words["text"] is str
    assert words["number"] is int


def test_listing_imports_nothing(words: Registry[type], provided: list[EntryPoint]) -> None:
    provided.append(EntryPoint("third", "a_plug_in:Third", GROUP))
    assert list(words) == ["gone", "number", "text", "third"]
    assert len(words) == 4
    assert "third" in words
    assert "a_plug_in" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        words["gone"]


def test_an_unknown_name_suggests(words: Registry[type], provided: list[EntryPoint]) -> None:
    with pytest.raises(UnknownNameError, match=r"'txet'.*'text'"):
        words["txet"]
    assert "txet" not in words
    assert 3 not in words


def test_get_does_not_swallow_the_error(words: Registry[type], provided: list[EntryPoint]) -> None:
    """`Mapping.get` returns its default only for a KeyError: a wrong name must not pass for an absent option."""
    with pytest.raises(UnknownNameError):
        words.get("txet")


def test_other_packages_add_names(words: Registry[type], provided: list[EntryPoint]) -> None:
    provided.append(EntryPoint("third", "a_plug_in:Third", GROUP))
    provided.append(EntryPoint("elsewhere", "a_plug_in:Third", "another.group"))
    assert words["third"].__name__ == "Third"
    assert "elsewhere" not in words
    assert words.origin("third") == "unknown"  # made by hand, no distribution
    assert words.origin("text") == "greenexp"


@pytest.mark.parametrize("names", [("text",), ("third", "third")])
def test_a_name_means_one_thing(words: Registry[type], provided: list[EntryPoint], names: tuple[str, ...]) -> None:
    provided.extend(EntryPoint(name, "a_plug_in:Third", GROUP) for name in names)
    with pytest.raises(GreenexpError, match=f"word '{names[0]}'"):
        list(words)


def test_a_registry_without_a_group_looks_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "entry_points", lambda group: pytest.fail("it looked"))
    assert list(Registry("word", {"text": "builtins:str"})) == ["text"]
