"""Fetching what a sweep reads by name, before anything else is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenexp.units import format_quantity

if TYPE_CHECKING:
    from greenexp.plan import Plan


def needed_assets(plan: Plan) -> tuple[str, ...]:
    """Named corpora and weights of all trials, each once."""
    from greenexp.plan.data import backbone_assets, task_assets

    found: dict[str, None] = {}
    for settings in plan.possible_settings():
        found.update(dict.fromkeys((*task_assets(settings), *backbone_assets(settings))))
    return tuple(found)


def fetch_assets(plan: Plan) -> None:
    """Fetch what is not on this machine yet, saying what and how much. AssetError if it cannot be had."""
    from greenexp.assets import ASSETS, find, locate

    for name in needed_assets(plan):
        if find(name) is None:
            asset = ASSETS[name]
            size = format_quantity(float(asset.size_b), "B")
            click.echo(f"fetching      {name}: {asset.about} ({size}, {asset.licence})", err=True)
            locate(name)


def asset_facts(plan: Plan) -> dict[str, Any]:
    """Name -> licence, citation and digest of what the sweep reads, for its records."""
    from greenexp.assets import ASSETS

    assets = [ASSETS[name] for name in needed_assets(plan)]
    return {a.name: {"licence": a.licence, "citation": a.citation, "digest": a.digest} for a in assets}
