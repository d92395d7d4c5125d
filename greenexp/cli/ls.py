"""The command `greenexp ls`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import click

from greenexp.cli.printing.text_table import print_json
from greenexp.records.axes import AXES
from greenexp.registry import Registry

KINDS = {
    "tasks": "task",
    "backbones": "backbone",
    "heads": "exits.head",
    "methods": "method",
    "compressions": "compression",
    "policies": "replay.policies",
    "searches": "search",
    "schedulers": "scheduler",
}
"""What a user may ask for -> the path of its section in a sweep file."""


@click.command()
@click.argument("kind", type=click.Choice([*KINDS, "axes"]))
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def ls(kind: str, name: str | None, as_json: bool) -> None:
    """Prints one line each, or the whole card and the fields of NAME."""
    rows = _axes() if kind == "axes" else _plugins(kind)
    if name is not None:
        if name not in rows and kind != "axes":
            _registry(kind)[name]  # raises the error that names the nearest
        rows = {name: rows[name]} if name in rows else {}
    if as_json:
        print_json(rows)
    elif name is not None:
        for row in rows.values():
            _print_card(name, row)
    else:
        width = max(map(len, rows), default=0)
        for key, row in rows.items():
            click.echo(f"{key:{width}}  {row['about']}")


def _axes() -> dict[str, dict[str, Any]]:
    return {axis.name: {**dataclasses.asdict(axis), "card": axis.about} for axis in AXES.values()}


def _registry(kind: str) -> Registry[Any]:
    from greenexp.plan.plugins import registry_of

    return registry_of(KINDS[kind])


def _plugins(kind: str) -> dict[str, dict[str, Any]]:
    registry = _registry(kind)
    rows = {}
    for name in registry:
        card = inspect.getdoc(registry[name]) or ""
        rows[name] = {
            "about": card.splitlines()[0] if card else "",
            "from": registry.origin(name),
            "fields": _fields(registry[name]),
            "card": card,
        }
    return rows


def _fields(plugin: Any) -> dict[str, Any]:
    """Field -> its default, or 'required'."""
    if not dataclasses.is_dataclass(plugin):
        return {}
    found: dict[str, Any] = {}
    for field in dataclasses.fields(plugin):
        missing = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        found[field.name] = "required" if missing else default
    return found


def _print_card(name: str, row: Mapping[str, Any]) -> None:
    click.echo(f"{name}\n\n{row['card']}")
    if row.get("fields"):
        click.echo("\nfields")
        for field, default in row["fields"].items():
            click.echo(f"  {field} = {default}")
