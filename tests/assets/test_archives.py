"""Members by name out of wheels and source distributions, and nothing else."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from made_assets import CONTENTS, described, tarball

from greenexp.assets.archives import extract
from greenexp.assets.asset import AssetFile, UnavailableError


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def under(folder: str) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in CONTENTS.items()}


def archives(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Kind -> archive and folder in it."""
    noise = {"../../evil": b"evil", "/evil": b"evil", "pkg/other": b"other"}
    plain, nested = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    plain.write_bytes(tarball(noise | under("a-1/data")))
    nested.write_bytes(tarball(noise | {"b-1/more/inner.tar.gz": tarball(noise | under("inner/data"))}))
    return {
        "wheel": (wheel(tmp_path / "a.whl", noise | under("pkg/model")), "pkg/model"),
        "sdist": (plain, "a-1/data"),
        "tar in tar": (nested, "b-1/more/inner.tar.gz/inner/data"),
    }


@pytest.mark.parametrize("kind", ["wheel", "sdist", "tar in tar"])
def test_members_come_out_by_name_and_nothing_else_does(kind: str, tmp_path: Path) -> None:
    archive, folder = archives(tmp_path)[kind]
    into = tmp_path / "x" / "y" / "into"
    into.mkdir(parents=True)
    extract(archive, folder, described(), into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == CONTENTS
    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize("kind", ["wheel", "sdist", "tar in tar"])
def test_what_is_not_there_or_too_large_is_refused(kind: str, tmp_path: Path) -> None:
    archive, folder = archives(tmp_path)[kind]
    with pytest.raises(UnavailableError, match=r"holds no .*/absent"):
        extract(archive, folder, [AssetFile("absent", "0" * 64, 1)], tmp_path)
    with pytest.raises(UnavailableError, match="3 bytes"):
        extract(archive, folder, [AssetFile("weights.bin", "0" * 64, 3)], tmp_path)
    assert (tmp_path / "weights.bin").stat().st_size == 4


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("a-1/weights.bin")
        info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(info)
    with pytest.raises(UnavailableError, match="holds no"):
        extract(tmp_path / "a.tar.gz", "a-1", [AssetFile("weights.bin", "0" * 64, 6)], tmp_path)


@pytest.mark.parametrize("name", ["a.whl", "a.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"not an archive", tarball(under("a-1"))[:-900]])
def test_a_damaged_archive_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnavailableError):
        extract(tmp_path / name, "a-1", described(), tmp_path)


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ""])
def test_a_file_of_an_asset_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        AssetFile(name, "0" * 64, 1)
