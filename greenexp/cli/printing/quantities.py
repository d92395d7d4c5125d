"""Options that are quantities: `5ms`, `1MB`, `50 MFLOP`."""

from __future__ import annotations

from collections.abc import Callable

import click

from greenexp.units import parse_quantity


def quantity(unit: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """An option's callback: the number of base units (`s`, `B`, `FLOP`) in what was given, with or without a unit."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else parse_quantity(value, unit)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read
