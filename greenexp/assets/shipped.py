"""Files that travel with greenexp: sweep files and dashboards, in a checkout or inside the wheel."""

from __future__ import annotations

from pathlib import Path

from greenexp.errors import InputError, did_you_mean

_PACKAGE = Path(__file__).parents[1]


def shipped(kind: str) -> Path:
    """The folder `sweeps` or `dashboards`.

    A checkout's own folder comes first: an editable install has a stale copy of it beside the package.
    """
    checkout = _PACKAGE.parent / kind
    if (_PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    return _PACKAGE / "_data" / kind


def shipped_sweeps() -> dict[str, Path]:
    """Name -> file of every sweep that greenexp brings."""
    return {path.stem: path for path in sorted(shipped("sweeps").glob("*.yaml"))}


def find_sweep(name: str) -> Path:
    """The sweep file `name`: a path, or the name of a shipped sweep. InputError says what there is."""
    path = Path(name)
    if path.is_file():
        return path
    known = shipped_sweeps()
    if name in known:
        return known[name]
    if path.is_dir():
        raise InputError(f"{name} is a folder: expected a sweep file")
    raise InputError(f"there is no sweep file '{name}'{did_you_mean(name, known)} (shipped: {', '.join(known)})")
