"""Every entry of the catalogue says what a user may want to know, and pins what is fetched."""

from __future__ import annotations

import re

import pytest

from greenexp.assets import ASSETS
from greenexp.assets.hub import HubRepository
from greenexp.assets.npm import NpmPackage
from greenexp.assets.package import Package

HEX = re.compile(r"[0-9a-f]+")


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_is_described_and_pinned(name: str) -> None:
    asset = ASSETS[name]
    assert asset.name == name
    assert all((asset.about, asset.licence, asset.citation, asset.files, asset.sources))
    assert all(HEX.fullmatch(file.sha256) and file.size_b > 0 for file in asset.files)
    for source in asset.sources:
        pin = {Package: 64, NpmPackage: 64, HubRepository: 40}[type(source)]
        assert isinstance(source, Package | NpmPackage | HubRepository)
        value = source.commit if isinstance(source, HubRepository) else source.sha256
        assert len(value) == pin
        assert HEX.fullmatch(value)


def test_every_asset_can_come_from_a_package_registry_alone() -> None:
    assert all(any(isinstance(source, Package | NpmPackage) for source in asset.sources) for asset in ASSETS.values())


def test_digests_tell_assets_apart() -> None:
    assert len({asset.digest for asset in ASSETS.values()}) == len(ASSETS)
