"""Tokens in files on their way to nodes that do not have them: asked for in pieces, kept in the node's cache.

Neither side holds more than a piece of a text that does not fit into memory. A node that sees the driver's folder, or
has the text in its own cache, asks for nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from greenexp.errors import StateError
from greenexp.tasks.prepared import PreparedTask
from greenexp.tasks.token_files import TokenFile, tokens_folder
from greenexp.tasks.token_store import install_tokens, read_tokens
from greenexp.tasks.tokens import TokenisedTask

PIECE_B = 8 << 20
_CHECKED: set[str] = set()
"""Keys of the tokens that this process has found whole on its machine: all their bytes are read for it."""

Ask = Callable[..., Any]
"""Name of a method of `TokenKeeper` and its arguments -> what it answers."""


class TokenKeeper:
    """The actor that reads the driver's cache. folders: key of a tokenised text -> where it lies."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    def sizes(self, key: str) -> dict[str, int]:
        """The files of a tokenised text and their bytes."""
        return {path.name: path.stat().st_size for path in sorted(self._folders[key].iterdir())}

    def piece(self, key: str, name: str, begin: int) -> bytes:
        """At most `PIECE_B` bytes of one of its files."""
        with (self._folders[key] / Path(name).name).open("rb") as file:
            file.seek(begin)
            return file.read(PIECE_B)


def token_folders(data: PreparedTask) -> dict[str, Path]:
    """Key -> folder of the tokens in files that `data` reads; empty for data in memory."""
    return {file.folder.name: file.folder for file in _files(data)}


def start_token_keeper(folders: Mapping[str, Path]) -> Any:
    """The actor that reads `folders`, on this process's node; None where there are none. Ray must be up."""
    if not folders:
        return None
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "scheduling_strategy": here, "max_restarts": -1, "max_task_retries": -1}
    return ray.remote(TokenKeeper).options(**options).remote(dict(folders))


def fetch_tokens(data: PreparedTask, ask: Ask) -> None:
    """Put what `data` reads from files into this machine's cache, unless it is here whole.

    Raises StateError where the disk does not take it, or it does not arrive whole.
    """
    for key, folder in sorted(token_folders(data).items()):
        if key in _CHECKED:
            continue

        def fill(draft: Path, key: str = key) -> None:
            for name, size_b in ask("sizes", key).items():
                with (draft / name).open("wb") as file:
                    while file.tell() < size_b:
                        file.write(ask("piece", key, name, file.tell()) or _missing(name))

        if read_tokens(folder) is None:
            install_tokens(key, fill)
            if folder != tokens_folder() / key and any(os.access(file, os.R_OK) for file in folder.glob("*")):
                raise StateError(f"the tokens in {folder}, which this machine shares, are damaged")
        _CHECKED.add(key)


def asking(keeper: Any) -> Ask:
    """How a worker asks the actor `keeper`. Raises StateError where it cannot be reached."""

    def ask(method: str, *arguments: Any) -> Any:
        try:
            return ray.get(getattr(keeper, method).remote(*arguments))
        except RayError as error:
            raise StateError(f"tokens cannot be fetched from the driver: {type(error).__name__}") from error

    return ask


def _files(data: PreparedTask) -> Iterator[TokenFile]:
    if isinstance(data, TokenisedTask):
        for split in (data.train, data.dev, data.test):
            both = () if split is None else (split.ids, split.type_ids)
            yield from (one for one in both if isinstance(one, TokenFile))


def _missing(name: str) -> bytes:
    raise StateError(f"the driver's {name} has become shorter while it was sent")
