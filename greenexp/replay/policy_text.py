"""Exit policies as text, as on a command line: everything that `naming` reads, and a YAML mapping in braces."""

from __future__ import annotations

import re
from typing import Any

from greenexp.errors import InputError

_NUMBER_AS_KEY = re.compile(r"([{,]\s*)(\d+)(?=\s*:)")


def policy_from_text(policy: Any) -> Any:
    """`policy`, a text in braces read as the mapping that it is; everything else as it was given, unchecked.

    `{name: max_probability, threshold: {1: 0.2, 2: 0.1}}` is a mapping. Raises InputError for braces without a mapping.
    """
    return _mapping(policy) if isinstance(policy, str) and policy.lstrip().startswith("{") else policy


def _mapping(text: str) -> dict[str, Any]:
    """A YAML mapping; the sweep file's reader wants text as keys, and here the numbers of exits are keys too."""
    from greenexp.spec.yaml12 import parse

    tree = parse(_NUMBER_AS_KEY.sub(r'\1"\2"', text), "policy", lines=False)
    if tree.problems:
        raise InputError(f"policy {text!r}: {'; '.join(problem.message for problem in tree.problems)}")
    if not isinstance(tree.data, dict):
        raise InputError(f"policy {text!r} is not a mapping such as {{name: entropy, threshold: 0.3}}")
    return tree.data
