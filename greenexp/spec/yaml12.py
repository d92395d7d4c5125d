"""YAML 1.2 (core schema) to plain data, with the place of every key and value.

PyYAML reads YAML 1.1, where `1e-4` is text and `no` is false. Here its parser is kept and its guesses are replaced:
`1e-4`, `0o17` and `.inf` are numbers, only `true` and `false` are booleans, dates are text, `<<` is an ordinary key.
Nothing is constructed but mappings with text keys, lists, text, numbers, booleans and null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from greenexp.errors import Problem, SweepFileError
from greenexp.records.places import Place, Position, dotted

MAX_BYTES = 1_000_000  # a list of 10,000 points fits; what is larger is not a sweep file
MAX_DEPTH = 32  # the deepest legal value lies about six levels down
MAX_VALUES = 200_000  # after aliases are expanded: a few lines of nested aliases could mean billions
MAX_INTEGER = 2**63 - 1  # what JSON readers, SQLite and numpy hold

_TAG = "tag:yaml.org,2002:"
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_CORE: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("null", re.compile(r"~|null|Null|NULL|"), "~nN"),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    ("int", INT, "-+0123456789"),
    ("float", FLOAT, "-+.0123456789"),
)


def core_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """First character -> (tag, pattern of the whole scalar), the form PyYAML's resolvers take."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {"": [(f"{_TAG}null", re.compile(r"\Z"))]}
    for name, pattern, first in _CORE:
        for character in first:
            table.setdefault(character, []).append((f"{_TAG}{name}", re.compile(rf"(?:{pattern.pattern})\Z")))
    return table


class _Loader(yaml.SafeLoader):
    """PyYAML's parser under the core schema, refusing to descend for ever."""

    yaml_implicit_resolvers = core_resolvers()

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """As PyYAML, to `MAX_DEPTH` levels."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            peek: Callable[[], Any] = self.peek_event
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {MAX_DEPTH} levels deep", problem_mark=peek().start_mark
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@dataclass(slots=True)
class Tree:
    """A document as plain data: `places` as in `greenexp.records.places`, `problems` what had to be left out."""

    source: str
    data: Any = None
    places: dict[str, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(text: str, source: str, *, lines: bool = True) -> Tree:
    """The single YAML document in `text`; without `lines` places carry the source only (`--set`).

    Values that cannot be kept (a second equal key, a tag, a number too large) are left out and become problems of the
    tree. Raises SweepFileError where the text is not YAML at all.
    """
    builder = _Builder(Tree(source), lines)
    node = _compose(text, source, lines)
    if node is not None:
        builder.tree.data = builder.build(node, "", None)
    return builder.tree


def _compose(text: str, source: str, lines: bool) -> Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        message = f"the character {error.character!a} is not allowed in YAML"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = _plain(error)
    except (yaml.YAMLError, ValueError, OverflowError, IndexError, RecursionError) as error:
        # PyYAML lets e.g. the escape "\UFFFFFFFF" through to chr().
        position, message = (1, 1), f"not readable as YAML: {error}"
    line, column = position if lines else (None, None)
    raise SweepFileError([Problem("", message, source, line, column)])


def _plain(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's complaint in a user's words."""
    problem = error.problem or "not readable as YAML"
    if "'\\t'" in problem or "\t" in problem:
        return "a tab cannot indent or begin a value in YAML: use spaces"
    if problem.startswith("but found another document"):
        return "a sweep file holds one YAML document: this is the beginning of a second one"
    context = f" ({error.context})" if error.context else ""
    return f"YAML syntax: {problem}{context}"


class _Builder:
    """Nodes to plain data; lives as long as one document."""

    def __init__(self, tree: Tree, lines: bool) -> None:
        self.tree = tree
        self._lines = lines
        self._open: set[int] = set()
        self._values = 0

    def build(self, node: Node, path: str, key: Position | None) -> Any:
        """The data under `node`, which stands at the dotted `path`."""
        self._values += 1
        if self._values > MAX_VALUES:
            problem = Problem("", f"the file means more than {MAX_VALUES:,} values", self.tree.source)
            raise SweepFileError([problem])
        self.tree.places[path] = Place(self.tree.source, key, self._position(node))
        if id(node) in self._open:
            self._refuse(node, path, "an alias may not contain itself")
            return None
        self._open.add(id(node))
        try:
            return self._content(node, path)
        finally:
            self._open.discard(id(node))

    def _content(self, node: Node, path: str) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        expected = "map" if isinstance(node, MappingNode) else "seq"
        if node.tag != _TAG + expected:
            self._refuse(node, path, f"the tag '{_short(node.tag)}' is not allowed")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        items = node.value if isinstance(node, SequenceNode) else []
        return [self.build(item, dotted(path, i), None) for i, item in enumerate(items)]

    def _mapping(self, node: MappingNode, path: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        first: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if key is None or key_node.tag != f"{_TAG}str":
                shown = f"{key!r} is not text: quote it" if key else "a key must be text"
                self._refuse(key_node, path, shown)
            elif key == "" or not _is_text(key):
                self._refuse(key_node, path, f"{key!a} cannot be a key")
            elif key in first:
                again = first[key].start_mark.line + 1
                where = f", first in line {again}" if self._lines else ""
                self._refuse(key_node, dotted(path, key), f"'{key}' is given twice{where}")
            else:
                first[key] = key_node
                data[key] = self.build(value_node, dotted(path, key), self._position(key_node))
        return data

    def _scalar(self, node: ScalarNode, path: str) -> str | int | float | bool | None:
        text, kind = node.value, node.tag.removeprefix(_TAG)
        if kind == "str":
            if not _is_text(text):
                self._refuse(node, path, f"{text!a} holds half a character (a lone surrogate)")
                return ""
            return str(text)
        patterns = {name: pattern for name, pattern, _ in _CORE}
        if node.tag == kind or kind not in patterns:
            self._refuse(node, path, f"the tag '{_short(node.tag)}' is not allowed")
            return None
        if not patterns[kind].fullmatch(text):
            self._refuse(node, path, f"'{text}' is not a YAML {kind}")
            return None
        if kind == "int":
            return self._integer(node, path)
        if kind == "float":
            return _float(text)
        return None if kind == "null" else text.lower() == "true"

    def _integer(self, node: ScalarNode, path: str) -> int | None:
        text = node.value
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        too_long = len(text) > 30
        value = 0 if too_long else int(text[2:] if base != 10 else text, base)
        if too_long or abs(value) > MAX_INTEGER:
            self._refuse(node, path, f"{text[:20]}{'...' if too_long else ''} is too large a whole number")
        return value if not too_long else None

    def _refuse(self, node: Node, path: str, message: str) -> None:
        line, column = self._position(node) or (None, None)
        self.tree.problems.append(Problem(path, message, self.tree.source, line, column))

    def _position(self, node: Node) -> Position | None:
        mark = node.start_mark
        return (mark.line + 1, mark.column + 1) if self._lines and mark else None


def _float(text: str) -> float:
    lower = text.lower()
    return float(lower.replace(".inf", "inf").replace(".nan", "nan")) if lower.endswith(("inf", "nan")) else float(text)


def _is_text(text: str) -> bool:
    """Whether UTF-8 can hold it; an escape such as `ud800` after a backslash makes half a pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag
