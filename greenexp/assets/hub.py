"""Assets that lie in a repository of the model hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from greenexp.assets.archives import copy_file
from greenexp.assets.asset import AssetFile, UnavailableError

ASKED_FOR = {"model": "config.json", "dataset": "README.md"}
"""Kind of repository -> the file that the libraries ask for first."""
_ANSWER_S = 5.0
"""How long the hub may take to answer at all; behind a firewall that drops packets it never does."""


def unreachable_hub(repository: str, revision: str, *, kind: Literal["model", "dataset"] = "model") -> str:
    """Why a repository can be read neither from the user's hub cache nor from the hub; "" where one of them answers.

    One question without retries: the libraries try for half a minute, and say so on the terminal. Of an answer of the
    hub, whatever it is, they make better messages.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    file, endpoint = ASKED_FOR[kind], os.environ.get("HF_ENDPOINT")
    try:
        if try_to_load_from_cache(repository, file, revision=revision, repo_type=kind) is not None:
            return ""  # it is there, or is known not to be
        if constants.HF_HUB_OFFLINE:
            return "HF_HUB_OFFLINE is set"
        url = hf_hub_url(repository, file, revision=revision, repo_type=kind, endpoint=endpoint)
        get_hf_file_metadata(url, timeout=_ANSWER_S, endpoint=endpoint)
    except (HfHubHTTPError, HFValidationError):
        return ""
    except Exception as error:  # beside its own errors the library lets those of its HTTP client through
        return _one_line(error)
    return ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A model repository at one commit. The user's endpoint, token, proxy and HF_HUB_OFFLINE are respected."""

    repository: str
    commit: str

    def __str__(self) -> str:
        return f"hub ({self.repository} at {self.commit[:8]})"

    def fetch(self, files: Sequence[AssetFile], into: Path) -> None:
        """See `Source.fetch`. What the user's hub cache holds is copied without asking the network."""
        missing = [file for file in files if not self._copy_cached(file, into)]
        if not missing:
            return
        try:
            self._download(missing, into)
        except Exception as error:  # beside its own errors the library lets those of its HTTP client through
            raise UnavailableError(_one_line(error)) from error
        finally:
            shutil.rmtree(into / ".cache", ignore_errors=True)  # the library's own notes

    def _copy_cached(self, file: AssetFile, into: Path) -> bool:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repository, file.name, revision=self.commit)
        if not isinstance(found, str):
            return False
        copy_file(Path(found), into / file.name, file)
        return True

    def _download(self, files: Sequence[AssetFile], into: Path) -> None:
        from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

        if constants.HF_HUB_OFFLINE:
            raise UnavailableError("HF_HUB_OFFLINE is set")
        endpoint = os.environ.get("HF_ENDPOINT")
        # One question without retries first: the download itself tries for half a minute, and says so on the terminal.
        url = hf_hub_url(self.repository, files[0].name, revision=self.commit, endpoint=endpoint)
        get_hf_file_metadata(url, timeout=_ANSWER_S, endpoint=endpoint)
        for file in files:
            hf_hub_download(
                self.repository,
                file.name,
                revision=self.commit,
                local_dir=into,
                endpoint=endpoint,
                etag_timeout=_ANSWER_S,
            )
