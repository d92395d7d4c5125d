"""Who may ask the dashboard, and what its answers carry."""

from __future__ import annotations

from pathlib import Path

import pytest
from served_board import served_board


def test_a_page_loads_nothing_from_elsewhere_and_is_framed_by_no_other(tmp_path: Path) -> None:
    with served_board([tmp_path]) as served:
        policy = served.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'self'" in policy


def test_it_may_be_embedded_if_that_is_asked_for(tmp_path: Path) -> None:
    with served_board([tmp_path], embedded=True) as served:
        assert "frame-ancestors *" in served.get("/").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("attacker.example", 421),
        ("localhost", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:80", 200),
        ("mine.example:8200", 200),
    ],
)
def test_it_answers_to_its_own_names(tmp_path: Path, host: str, status: int) -> None:
    """Another name that points to this machine is that of a site that wants to read what is here."""
    with served_board([tmp_path], hosts=("mine.example",)) as served:
        assert served.get("/api/board", Host=host).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_changes_nothing(tmp_path: Path, method: str) -> None:
    with served_board([tmp_path]) as served:
        assert served.get("/api/board", method=method).status == 405


def test_a_token_is_asked_for_once(tmp_path: Path) -> None:
    with served_board([tmp_path], token="s3cret") as served:
        assert served.get("/").status == 401
        assert served.get("/?token=wrong").status == 401
        first = served.get("/?token=s3cret")
        assert first.status == 200
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert served.get("/api/board", Cookie=cookie.partition(";")[0]).status == 200
        assert served.get("/api/board", Authorization="Bearer s3cret").status == 200
        assert served.get("/api/board", Cookie="greenexp-dashboard=no").status == 401


def test_nothing_outside_its_folder_is_served(tmp_path: Path) -> None:
    with served_board([tmp_path]) as served:
        assert served.get("/web/app.js").headers["content-type"].startswith("text/javascript")
        assert served.get("/web/../README.md").status == 404
        assert served.get("/web/%2e%2e/README.md").status == 404
