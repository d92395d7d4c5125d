"""A sweep file that was read: its data, its places, and all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import TypeAdapter, ValidationError

from greenexp.errors import InputError, Problem, SweepFileError
from greenexp.records.explain import problems_of, shown
from greenexp.records.places import Places, problem_at
from greenexp.records.search_space import Distribution
from greenexp.records.sweep_spec import SweepSpec
from greenexp.spec import overrides as command_line
from greenexp.spec.checks import check
from greenexp.spec.resolved import to_yaml
from greenexp.spec.yaml12 import MAX_BYTES, Tree, parse

MOST_SEARCHED = 256
"""Fields of a space: each is tried with every value of it, in a section that has all others."""


@dataclass(frozen=True)
class Document:
    """What `load_sweep` read.

    spec: the sweep, None if anything is wrong
    problems: all that is wrong as far as it can be told without plug-ins; `greenexp.plan` adds the rest
    sections: the sections that are valid by themselves, so that their plug-ins can be checked in any case
    data: the file as plain data, `--set` applied; places: dotted path -> place of key and value
    """

    source: str
    data: Mapping[str, Any]
    places: Places
    sections: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    spec: SweepSpec | None = None

    def problem(self, path: str, message: str, *, of_key: bool = False) -> Problem:
        """A problem at `path`, placed in the file (or at `--set`)."""
        return problem_at(self.places, path, message, of_key=of_key)

    def checked(self) -> SweepSpec:
        """The sweep. Raises SweepFileError with all problems if there are any."""
        if self.spec is None:
            raise SweepFileError(self.problems)
        return self.spec


def load_sweep(
    sweep: Path | str | Mapping[str, Any] | SweepSpec, overrides: Sequence[str] = (), source: str | None = None
) -> Document:
    """Read a sweep file (a Path), its text (a str), or a sweep made in Python; apply `--set` overrides; check it.

    source: what problems name as the file; the path as given, or `sweep`. Problems are collected in the document.
    Raises InputError where there is nothing to check: no such file, not UTF-8, not YAML, not a mapping.
    """
    if isinstance(sweep, Path):
        source = source or str(sweep)
        tree = parse(_read(sweep, source), source)
    elif isinstance(sweep, str):
        source = source or "sweep"
        tree = parse(sweep, source)
    else:
        source = source or "sweep"
        tree = parse(_as_text(sweep, source), source, lines=False)
    if not isinstance(tree.data, dict):
        raise SweepFileError([*tree.problems, *_not_a_mapping(tree)])
    command_line.apply(tree, overrides)
    space = tree.data.get("space")
    if isinstance(space, Mapping) and len(space) > MOST_SEARCHED:
        message = f"{len(space):,} fields are searched, and at most {MOST_SEARCHED} can be"
        raise SweepFileError([*tree.problems, problem_at(tree.places, "space", message)])
    return _validated(tree)


def _as_text(sweep: Mapping[str, Any] | SweepSpec, source: str) -> str:
    """A sweep made in Python as YAML without what was left to defaults, so that it is checked like any file."""
    data = sweep.model_dump(mode="json", exclude_unset=True) if isinstance(sweep, SweepSpec) else sweep
    try:
        return to_yaml(data)
    except yaml.YAMLError as error:
        raise SweepFileError(
            [Problem("", f"a sweep is made of plain values, got {error.args[-1]!r}", source)]
        ) from None


def _read(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{source}: there is no such sweep file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{source}: is larger than {MAX_BYTES:,} bytes, so it is hardly a sweep file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        problem = Problem("", f"the byte 0x{content[error.start]:02x} is not UTF-8 text", source, line, column)
        raise SweepFileError([problem]) from None


def _not_a_mapping(tree: Tree) -> list[Problem]:
    if tree.data is None and "" not in tree.places:
        return [Problem("", "the file is empty: a sweep needs at least 'name' and 'task'", tree.source)]
    if tree.problems:
        return []
    message = f"expected sections (name: ..., task: ...), got {shown(tree.data)}"
    return [problem_at(tree.places, "", message)]


def _validated(tree: Tree) -> Document:
    problems, sections, spec = list(tree.problems), {}, None
    try:
        spec = SweepSpec.model_validate(tree.data)
        sections = {name: getattr(spec, name) for name in SweepSpec.model_fields}
    except ValidationError as error:
        sections = _valid_sections(tree.data, error)
        problems += _without_refused(problems_of(error, tree.places, SweepSpec), tree.problems)
    problems += [problem_at(tree.places, f.path, f.message, of_key=f.of_key) for f in check(sections, tree.data)]
    return Document(
        source=tree.source,
        data=tree.data,
        places=tree.places,
        sections=sections,
        problems=SweepFileError(problems).problems,
        spec=None if problems else spec,
    )


def _without_refused(found: list[Problem], refused: list[Problem]) -> list[Problem]:
    """Leave out complaints about the null that stands for a value already refused at the same place."""
    places = {(problem.path, problem.line, problem.column) for problem in refused}
    return [problem for problem in found if (problem.path, problem.line, problem.column) not in places]


def _valid_sections(data: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    """The sections pydantic had nothing against; of `space`, its valid entries."""
    wrong = {details["loc"][:2] for details in error.errors(include_url=False)}
    names = {loc[0] for loc in wrong}
    sections: dict[str, Any] = {}
    for name, field in SweepSpec.model_fields.items():
        if name == "space" and isinstance(data.get(name), Mapping):
            entries = {path: entry for path, entry in data[name].items() if (name, path) not in wrong}
            sections[name] = TypeAdapter(dict[str, Distribution]).validate_python(entries)
        elif name in names:
            continue
        elif name in data:
            adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, field.annotation))
            sections[name] = adapter.validate_python(data[name])
        elif not field.is_required():
            sections[name] = field.get_default(call_default_factory=True)
    return sections
