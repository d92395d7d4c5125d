"""`--policy learned` on every command that takes a policy: with a learning-to-exit module, and without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tiny_served_models import KEPT, dev_logits, texts, write_sweep

from greenexp.replay import exits_taken

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", params=[True, False], ids=["module", "no module"])
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool]:
    return write_sweep(tmp_path_factory.mktemp("made"), learned=request.param), request.param


@pytest.mark.parametrize("asked", [("--policy", "learned:0.45"), ("--policy", "learned", "--speed-up", "1.2")])
def test_predict(command: Command, sweep: tuple[Path, bool], asked: tuple[str, ...], tmp_path: Path) -> None:
    folder, has_module = sweep
    given = tmp_path / "input.jsonl"
    given.write_text("".join(json.dumps(text) + "\n" for text in texts(300)), encoding="utf-8")
    code, out, said = command("predict", folder, *asked, "--input", given)
    if not has_module:
        assert (code, out) == (2, "")
        assert "learned exit module" in said
        return
    assert code == 0
    exits = [json.loads(line)["exit"] for line in out.splitlines()]
    assert len(set(exits)) > 1
    if asked[-1] == "learned:0.45":
        assert exits == exits_taken(dev_logits(folder / "models" / KEPT[0]).record, asked[-1]).tolist()
    else:
        assert 3 * 300 / sum(exits) >= 1.2


def test_replay(command: Command, sweep: tuple[Path, bool]) -> None:
    folder, has_module = sweep
    code, out, said = command("replay", folder, "--policy", "learned", "--json")
    if not has_module:
        assert (code, out) == (2, "")
        assert "record has none" in said
        return
    points = pd.DataFrame(json.loads(out))
    assert (code, set(points["policy"])) == (0, {"learned"})
    assert points["mean_layers"].nunique() > 50


@pytest.mark.parametrize("sweep", [False], indirect=True, ids=["without"])
def test_a_model_without_the_module_is_not_served(command: Command, sweep: tuple[Path, bool]) -> None:
    folder, _ = sweep
    code, out, said = command("serve", folder, "--policy", "learned")
    assert (code, out) == (2, "")
    assert "has none" in said
    assert "Traceback" not in said


def test_the_report_shows_the_policy(command: Command, sweep: tuple[Path, bool], tmp_path: Path) -> None:
    folder, has_module = sweep
    if has_module:
        assert command("replay", folder, "--policy", "learned")[0] == 0  # joins the record
    code, _, said = command("report", folder, "--out", tmp_path, "--format", "md")
    assert code == 0, said
    assert ("learned" in (tmp_path / "report.md").read_text(encoding="utf-8")) == has_module
