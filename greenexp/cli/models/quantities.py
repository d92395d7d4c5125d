"""Options that are quantities: `5ms`, `1MB`."""

from __future__ import annotations

from collections.abc import Callable

import click

from greenexp.units import parse_quantity


def quantity(unit: str) -> Callable[[click.Context, click.Parameter, str], float]:
    """An option's callback: the number of base units (`s` or `B`) in what was given, with or without a unit."""

    def read(ctx: click.Context, param: click.Parameter, value: str) -> float:
        try:
            return parse_quantity(value, unit)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read
