"""The npm registry through the user's own npm, here a script in its place."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from made_assets import CONTENTS, described, tarball

from greenexp.assets.asset import UnavailableError
from greenexp.assets.npm import NpmPackage

ARCHIVE = tarball({f"package/{name}": data for name, data in CONTENTS.items()})
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder alone on PATH whose `npm` writes the archive that lies in it, and its own arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "npm").write_text(
        f"#!{sys.executable}\nimport pathlib, shutil, sys\nhere = pathlib.Path({str(folder)!r})\n"
        "(here / 'asked').write_text(' '.join(sys.argv[1:]))\n"
        "if not (here / 'made-up-1.0.tgz').exists():\n    sys.exit('npm error 404 not in this registry')\n"
        "shutil.copy(here / 'made-up-1.0.tgz', 'made-up-1.0.tgz')\n"
    )
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def test_the_files_come_out_of_the_archive_npm_fetches(npm: Path, into: Path) -> None:
    (npm / "made-up-1.0.tgz").write_bytes(ARCHIVE)
    NpmPackage("made-up", "1.0", SHA256, "package").fetch(described(), into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == CONTENTS
    assert "made-up@1.0" in (npm / "asked").read_text()
    assert "--ignore-scripts" in (npm / "asked").read_text()


def test_an_archive_with_another_hash_is_refused(npm: Path, into: Path) -> None:
    (npm / "made-up-1.0.tgz").write_bytes(ARCHIVE + b"more")
    with pytest.raises(UnavailableError, match="sha256"):
        NpmPackage("made-up", "1.0", SHA256, "package").fetch(described(), into)
    assert list(into.iterdir()) == []


def test_what_npm_says_is_passed_on(npm: Path, into: Path) -> None:
    assert npm.is_dir()
    with pytest.raises(UnavailableError, match="404 not in this registry"):
        NpmPackage("made-up", "1.0", SHA256, "package").fetch(described(), into)


def test_a_machine_without_npm_says_so(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="no npm"):
        NpmPackage("made-up", "1.0", SHA256, "package").fetch(described(), into)
