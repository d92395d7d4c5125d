"""Who may ask the dashboard, and what its answers carry."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

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
        assert served.get("/api/board", Cookie=f"{cookie.partition('=')[0]}=no").status == 401


@pytest.mark.parametrize("token", ["a+b&c", "a;b c", 'p"%3B/', "pässwört"])
def test_a_token_may_have_any_characters(tmp_path: Path, token: str) -> None:
    with served_board([tmp_path], token=token) as served:
        first = served.get(f"/?view=sweeps&token={quote(token, safe='')}")
        assert first.status == 200
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert served.get("/api/board", Cookie=f'other={{"a": "b"}}; {cookie}').status == 200
        assert served.get("/api/board", Cookie=f"{cookie}x").status == 401
        bearer = token.encode().decode("latin-1")  # as HTTP libraries send it in UTF-8
        assert served.get("/api/board", Authorization=f"Bearer {bearer}").status == 200


def test_two_dashboards_of_one_host_do_not_take_each_other_for_themselves(tmp_path: Path) -> None:
    with served_board([tmp_path], token="one") as one, served_board([tmp_path], token="two") as two:
        cookies = [
            served.get(f"/?token={token}").headers["set-cookie"] for served, token in ((one, "one"), (two, "two"))
        ]
        kept = dict(cookie.partition(";")[0].split("=") for cookie in cookies)  # as a browser keeps them: by name
        both = "; ".join(f"{name}={value}" for name, value in kept.items())
        assert [served.get("/api/board", Cookie=both).status for served in (one, two)] == [200, 200]


def test_in_a_frame_all_that_a_page_loads_is_asked_for_with_its_token(tmp_path: Path) -> None:
    """There a browser sends no cookie."""
    with served_board([tmp_path], token="a/b c", embedded=True) as served:
        page = served.get("/?view=sweeps&token=a%2Fb%20c")  # which leads on
        assert "set-cookie" not in page.headers
        loaded = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^":]+)"', page.body.decode())
        assert "web/app.js" in loaded
        for address in (*set(loaded) - {"vega.js"}, "web/answer.js", "api/board"):  # that one takes seconds
            assert served.get(f"/token=a%2Fb%20c/{address}").status == 200
            assert served.get(f"/{address}").status == 401
        assert served.get("/token=wrong/api/board").status == 401
        assert served.get("/a%2Fb%20c/api/board").status == 401
        assert served.get("/token=a%2Fb%20c/api/board", Host="attacker.example").status == 421


def test_nothing_outside_its_folder_is_served(tmp_path: Path) -> None:
    with served_board([tmp_path]) as served:
        assert served.get("/web/app.js").headers["content-type"].startswith("text/javascript")
        assert served.get("/web/../README.md").status == 404
        assert served.get("/web/%2e%2e/README.md").status == 404
