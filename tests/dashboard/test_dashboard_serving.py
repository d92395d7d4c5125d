"""The dashboard's address, as it is told to whoever opens it."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from greenexp.dashboard.serving import DashboardPlace, serve_dashboard


class OpenedError(Exception):
    """Ends the serving."""


def test_the_address_can_be_opened_as_soon_as_it_is_told(tmp_path: Path) -> None:
    token = "a+b&c;pässwört d"

    def open_it(address: str) -> None:
        place = urlsplit(address)
        assert address.isascii()
        assert parse_qs(place.query)["token"] == [token]
        with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=10):
            raise OpenedError

    with pytest.raises(OpenedError):
        serve_dashboard([str(tmp_path)], DashboardPlace(port=0, token=token), open_it)
