"""Addresses without the passwords in them, as they may be recorded and handed on."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SECRET = frozenset({"password", "passwd", "pwd", "token", "access_token"})


def without_password(address: str) -> str:
    """The address of a server or a database without its password.

    Of an HTTP address the user's name goes too: MLflow takes both from MLFLOW_TRACKING_USERNAME and
    MLFLOW_TRACKING_PASSWORD, or neither. An address that cannot be taken apart keeps nothing before its last `@`.
    """
    try:
        parts = urlsplit(address)
        user, host = parts.username, parts.netloc.rpartition("@")[2]
    except ValueError:
        scheme, separator, rest = address.partition("://")
        return scheme + separator + rest.rpartition("@")[2]
    if parts.scheme.startswith("http") or not user:
        user = ""
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    kept = [(name, value) for name, value in query if name.lower() not in _SECRET]
    if "@" not in parts.netloc and len(kept) == len(query):
        return address
    return urlunsplit(
        (
            parts.scheme,
            f"{user}@{host}" if user else host,
            parts.path,
            parts.query if len(kept) == len(query) else urlencode(kept),
            parts.fragment,
        )
    )
