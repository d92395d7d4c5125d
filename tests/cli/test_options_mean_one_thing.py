"""An option of one name is one thing in every command that has it."""

from __future__ import annotations

import click
import pytest

from greenexp.cli.main import COMMANDS, cli

READS_FROM_OUT = {"logs"}
"""Names with --out the folder of a sweep; to be emptied."""


def options(name: str) -> dict[str, click.Option]:
    """Command -> its option of this name."""
    context = click.Context(cli)
    commands = {command: cli.get_command(context, command) for command in COMMANDS}
    return {
        command: option
        for command, found in commands.items()
        if found is not None
        for option in found.params
        if isinstance(option, click.Option) and name in option.opts
    }


@pytest.mark.parametrize("name", ["--seed", "--confidence", "--json", "--plot"])
def test_it_has_one_description_and_one_type(name: str) -> None:
    found = options(name)
    assert len(found) > 1
    first = (found["curve"].help or "").rstrip(".")
    described = {
        command: option.help or "" for command, option in found.items() if command not in {"compare", "replay"}
    }
    assert name == "--json" or {text.rstrip(".") for text in described.values()} == {first}
    assert len({repr(option.type) for command, option in found.items() if command != "compare"}) == 1
    if name == "--confidence":
        assert (found["compare"].help or "").startswith(first), "it takes several of the same"


def test_out_is_the_folder_that_is_written_to() -> None:
    found = {command: option for command, option in options("--out").items() if command not in READS_FROM_OUT}
    assert set(found) == {"run", "report", "export", "submit", "card", "checklist"}
    assert all(isinstance(option.type, click.Path) for option in found.values())
