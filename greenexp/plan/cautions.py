"""What the methods of a sweep say must be known of their trials."""

from __future__ import annotations

from collections.abc import Iterable

from greenexp.records.settings import Settings


def method_cautions(every: Iterable[Settings]) -> tuple[str, ...]:
    """The sentences of the distinct methods among some trial settings, each once; see `Method.cautions`."""
    methods = {str(settings.method.to_json()): settings.method for settings in every}
    plugins = (method.plugin() for method in methods.values())
    return tuple(dict.fromkeys(caution for plugin in plugins for caution in plugin.cautions()))
