"""The stream form of a policy, given in any of the ways in which replay takes one."""

from __future__ import annotations

from typing import Any, cast

from greenexp.exits import POLICIES
from greenexp.exits.policies.base import Policy
from greenexp.replay.naming import built, described, parameters_of


def stream_policy(policy: Any) -> Policy:
    """The stream form of `policy`: a name, text, a mapping (see `greenexp.replay.naming`), either form.

    Raises UnknownNameError, and InputError in the words of replay for options it does not have and values they may not
    take.
    """
    if hasattr(policy, "stream") and not isinstance(policy, type):
        return cast(Policy, policy)
    name, fields = described(policy)
    return built(name, POLICIES[name], fields, parameters_of(name))
