"""What greenexp needs beside its code: files that travel with it, and named corpora and weights that are fetched.

In here: the catalogue (names, hashes, licences, sources), the sources, the cache, and the sweep files in checkout or
wheel. Not in here: what a corpus or a checkpoint means; that is the business of `tasks/` and `backbones/`.
To add one: an entry in the catalogue, with every file's sha256 measured. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from greenexp.assets.asset import Asset, AssetFile
from greenexp.assets.cache import find, locate
from greenexp.assets.catalogue import ASSETS
from greenexp.assets.shipped import find_sweep, shipped, shipped_sweeps
from greenexp.assets.transfer import install, pack

__all__ = [
    "ASSETS",
    "Asset",
    "AssetFile",
    "find",
    "find_sweep",
    "install",
    "locate",
    "pack",
    "shipped",
    "shipped_sweeps",
]
