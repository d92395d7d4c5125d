"""The corpora and weights that a sweep reads by name."""

from __future__ import annotations

from typing import Any

from greenexp.api.watching import Watcher
from greenexp.plan.plans import Plan


def needed_assets(plan: Plan) -> tuple[str, ...]:
    """Names of the corpora and weights of all trials, each once."""
    from greenexp.plan.data import backbone_assets, task_assets

    names: dict[str, None] = {}
    for settings in plan.possible_settings():
        names.update(dict.fromkeys((*task_assets(settings), *backbone_assets(settings))))
    return tuple(names)


def fetch_assets(plan: Plan, watch: Watcher) -> None:
    """Fetch what is not on this machine yet. AssetError if it cannot be had."""
    from greenexp.assets import ASSETS, find, locate

    for name in needed_assets(plan):
        if find(name) is None:
            watch.fetching(name, ASSETS[name])
            locate(name)


def asset_facts(plan: Plan) -> dict[str, Any]:
    """Name -> licence, citation and digest of what the sweep reads, for its records."""
    from greenexp.assets import ASSETS

    assets = [ASSETS[name] for name in needed_assets(plan)]
    return {a.name: {"licence": a.licence, "citation": a.citation, "digest": a.digest} for a in assets}
