"""What a shell may complete besides commands and options: names of sweeps, and their folders; else any file."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from greenexp.assets.shipped import shipped_sweeps
from greenexp.sources.folders import DEFAULT, sweeps_below


def complete_sweep(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the sweeps that come with greenexp, and sweep files."""
    files = [str(path) for path in sorted(Path().glob("*.yaml"))]
    found = [CompletionItem(name) for name in (*shipped_sweeps(), *files) if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def complete_folder(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Folders of the sweeps under `out/`, the newest first; else any folder."""
    found = [CompletionItem(str(folder)) for folder in sweeps_below(DEFAULT) if str(folder).startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="dir")]
