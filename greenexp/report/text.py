"""User text, made harmless for every format: names, reasons, error messages may hold anything."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "×": r"$\times$", "±": r"$\pm$", "–": "--", "≤": r"$\leq$",
    "≥": r"$\geq$", "√": r"$\surd$", "\n": " ", "\t": " ",
}  # fmt: skip


def clean(text: str) -> str:
    """Without control characters (terminal escapes, NUL, half surrogates), which nobody sees: each becomes U+FFFD."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def markdown_text(text: str) -> str:
    """`text` on one line, with everything escaped that Markdown or inline HTML would read as markup."""
    return _MARKDOWN.sub(r"\\\1", " ".join(clean(text).split()))


def latex_text(text: str) -> str:
    """`text` with LaTeX's special characters escaped; needs T1 fonts (for the straight quote)."""
    return "".join(_LATEX.get(letter, letter) for letter in clean(text))
