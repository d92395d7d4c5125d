"""A Vega-Lite dict as SVG text, drawn in the process: no browser, no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

VEGA_LITE = "6.4"
_ID = re.compile(r'(?P<before>\bid="|url\(#|href="#)(?P<id>[A-Za-z][\w-]*)')
_TAG, _ROLE = re.compile("<[^<>]*>"), re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def svg_of(spec: Mapping[str, Any], name: str, alt: str) -> str:
    """The drawing as one `<svg>` element with its text alternative, to be inlined or written to a file.

    Equal drawings give equal text on one machine (text is measured with its fonts). Ids begin with the name, so several
    fit into one page; the size follows the page up to the drawn width.
    """
    import vl_convert

    svg = str(vl_convert.vegalite_to_svg(dict(spec), vl_version=VEGA_LITE))
    return _CONTROL.sub("\ufffd", _labelled(_with_own_ids(svg, name), alt))


def _with_own_ids(svg: str, prefix: str) -> str:
    """Ids numbered in order of appearance: the renderer counts on from figure to figure."""
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        name = names.setdefault(match["id"], f"{prefix}-{len(names) + 1}")
        return f"{match['before']}{name}"

    return _ID.sub(renamed, svg)


def _labelled(svg: str, alt: str) -> str:
    """The root element with a role, a label and a width that gives way on narrow pages.

    The renderer gives its groups roles of their own, without a text: they are part of the image, and lose them.
    """
    head, rest = svg.split(">", 1)
    rest = _TAG.sub(lambda tag: _ROLE.sub("", tag[0]), rest)
    width = re.search(r'\bwidth="([\d.]+)"', head)
    style = f"width:100%;max-width:{width[1]}px;height:auto" if width else ""
    label = escape(alt, quote=True)
    return f'{head} role="img" aria-label="{label}" style="{style}">{rest}'
