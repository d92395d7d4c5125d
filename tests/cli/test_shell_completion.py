"""Completion by a shell: click's script, commands, options, names of sweeps and their folders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.shell_completion import CompletionItem, ShellComplete
from watched_sweeps import WatchedSweep

from greenexp.cli.main import COMMANDS, cli

NewSweep = Callable[..., WatchedSweep]
Command = Callable[..., tuple[int, str, str]]


def completed(*words: str) -> list[str]:
    """What a shell offers after these words, the last of which is not complete."""
    shell = ShellComplete(cli, {}, "greenexp", "_GREENEXP_COMPLETE")
    items: list[CompletionItem] = shell.get_completions(list(words[:-1]), words[-1])
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in items]


def test_the_script_for_bash_is_printed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_GREENEXP_COMPLETE", "zsh_source")  # bash is asked for its version first
    code, out, _ = command()
    assert code == 0
    assert "_GREENEXP_COMPLETE=zsh_complete" in out


@pytest.mark.parametrize(("shell", "words"), [("bash", "greenexp sta"), ("zsh", "greenexp sta")])
def test_a_shell_is_answered(command: Command, monkeypatch: pytest.MonkeyPatch, shell: str, words: str) -> None:
    monkeypatch.setenv("_GREENEXP_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", "1")
    code, out, err = command()
    assert (code, err) == (0, "")
    assert "status" in out
    assert "serve" not in out


def test_commands_are_completed_without_loading_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenexp.cli.main.import_module", lambda name: pytest.fail(f"loaded {name}"))
    assert completed("s") == [name for name in COMMANDS if name.startswith("s")]
    assert completed("") == list(COMMANDS)
    assert "--version" in completed("--")


@pytest.mark.parametrize("name", ["run", "plan"])
def test_sweeps_are_completed_by_name_and_file(command: Command, name: str, tmp_path_factory: object) -> None:
    command("--version")  # in an empty folder
    assert completed(name, "smo") == ["smoke"]
    assert completed(name, "no-such") == ["<file>"]
    assert "--set" in completed(name, "--")


def test_folders_of_sweeps_are_completed(new_sweep: NewSweep, command: Command) -> None:
    from pathlib import Path

    assert completed("status", "") == ["<dir>"]
    for name in ("one", "two"):
        Path("out", name).mkdir(parents=True)
        new_sweep(Path("out", name))
    assert sorted(completed("status", "out/")) == ["out/one", "out/two"]
    assert completed("status", "out/t") == ["out/two"]


def test_a_command_that_is_mistyped_completes_nothing_and_says_nothing() -> None:
    assert completed("statsu", "") == list(COMMANDS)
