"""The command `greenexp doctor`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from greenexp.cli.printing.text_table import print_json
from greenexp.meters.machine import machine_facts


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def doctor(as_json: bool) -> None:
    """Where something cannot be measured, the reason is printed."""
    from greenexp.meters import survey

    facts: dict[str, Any] = machine_facts()
    facts["measured"] = {axis: {"measured": can, "how": how} for axis, (can, how) in survey().items()}
    facts["precision"] = _precision()
    facts["problems"] = _problems()
    if as_json:
        print_json(facts)
        return
    for name, value in facts["versions"].items():
        click.echo(f"{name:14} {value}")
    for name, value in facts["machine"].items():
        click.echo(f"{name:14} {value}")
    click.echo(f"{'precision':14} {facts['precision']}")
    for axis, row in facts["measured"].items():
        click.echo(f"{axis:14} {'yes' if row['measured'] else 'no ':3}  {row['how']}")
    for problem in facts["problems"]:
        click.echo(f"problem        {problem}")


def _precision() -> str:
    """What `training.precision: auto` means here."""
    import torch

    from greenexp.training.precision import explain_precision

    return explain_precision(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _problems() -> list[str]:
    """Things known to break a sweep, with the way out."""
    problems = []
    try:
        found = version("amdsmi")
        problems.append(
            f"amdsmi {found} is installed: where ROCm is absent it makes `import ray` fail (KeyError: libamd_smi.so); "
            "remove it, and zeus which requires it: pip uninstall amdsmi zeus"
        )
    except PackageNotFoundError:
        pass
    return problems
