"""Lines with a label: broken between words on a terminal, whole elsewhere."""

from __future__ import annotations

import pytest

from greenexp.cli.printing.labelled import LABEL, say, wrapped

TEXT = (
    "energy_j (cpu_package: no RAPL package domain: absent in most virtual machines and on some CPUs), and more of it"
)


def printed(capsys: pytest.CaptureFixture[str], text: str) -> list[str]:
    say("not measured", text)
    return capsys.readouterr().err.splitlines()


def test_elsewhere_a_line_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, TEXT) == [f"{'not measured':{LABEL}} {TEXT}"]


def test_on_a_terminal_words_stay_whole_beside_the_label(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = printed(capsys, TEXT)
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("not measured")
    assert lines[1].startswith(" " * (LABEL + 1))
    assert " ".join(line[LABEL:].strip() for line in lines) == TEXT


def test_a_path_stays_whole_and_columns_keep_their_spaces() -> None:
    path = "/a-folder" * 20
    assert wrapped(path, 40) == [path]
    assert wrapped("trials       12         certain", 60) == ["trials       12         certain"]
    assert wrapped("", 60) == [""]
