"""Whole and verified, or not at all: whatever the sources, the disk, other processes and signals do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from made_assets import CONTENTS, Failing, Giving, an_asset, offline, write

from greenexp.assets import Asset, cache, find, install, locate, pack
from greenexp.errors import AssetError, InputError, UnknownNameError

Listed = Callable[[Asset], Asset]


def drafts(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.name.startswith((".draft", ".pip"))]


def test_an_asset_is_fetched_once(cache: Path, listed: Listed) -> None:
    giver = Giving(CONTENTS)
    listed(an_asset(giver))
    assert find("made-up") is None
    folder = locate("made-up")
    assert folder == locate("made-up") == find("made-up")
    assert giver.asked == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS
    assert folder.is_relative_to(cache)
    assert drafts(cache) == []


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'minilm-l6'"):
        locate("minilm-16")


def test_sources_are_tried_in_order_and_leave_nothing_to_the_next(listed: Listed) -> None:
    wrong = Giving({**CONTENTS, "weights.bin": CONTENTS["weights.bin"][:-1] + b"x"})
    listed(an_asset(Failing(offline), wrong, giver := Giving(CONTENTS)))
    folder = locate("made-up")
    assert (wrong.asked, giver.asked) == (1, 1)
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONTENTS)


def test_nothing_to_be_had_says_what_was_tried_in_order_and_what_to_do(
    cache: Path, listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "own" / "made-up", {"config.json": b"{}"})
    monkeypatch.setenv("GREENEXP_ASSETS", str(tmp_path / "own"))
    listed(an_asset(Failing(offline), Giving({"config.json": CONTENTS["config.json"], "weights.bin": b"short"})))
    with pytest.raises(AssetError) as caught:
        locate("made-up")
    text = str(caught.value)
    steps = ["  1. GREENEXP_ASSETS", "config.json has 2 bytes instead of", "weights.bin is not there",
             "  2. a failure: the network is down", "  3. a giver: weights.bin has 5 bytes instead of 76,800",
             "GREENEXP_ASSETS to the folder"]  # fmt: skip
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert isinstance(caught.value, InputError)
    assert find("made-up") is None
    assert drafts(cache) == []


def test_a_wrong_hash_of_the_right_size_is_named(listed: Listed) -> None:
    listed(an_asset(Giving({**CONTENTS, "config.json": b'{"made": "ip"}'})))
    with pytest.raises(AssetError, match=r"config\.json.*sha256 [0-9a-f]{12}"):
        locate("made-up")


def test_the_users_folder_comes_first_and_is_used_in_place(
    listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    giver = Giving(CONTENTS)
    listed(an_asset(giver))
    own = write(tmp_path / "second" / "made-up")
    monkeypatch.setenv("GREENEXP_ASSETS", os.pathsep.join([str(tmp_path / "first"), str(tmp_path / "second")]))
    assert locate("made-up") == own
    assert giver.asked == 0


def test_damage_in_the_cache_is_noticed_and_repaired(listed: Listed) -> None:
    giver = Giving(CONTENTS)
    listed(an_asset(giver))
    file = locate("made-up") / "weights.bin"
    file.write_bytes(b"y" * len(CONTENTS["weights.bin"]))
    os.utime(file, (0, 0))  # clocks of file systems tick slowly; noticed in the same process too
    assert find("made-up") is None
    assert (locate("made-up") / "weights.bin").read_bytes() == CONTENTS["weights.bin"]
    assert giver.asked == 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_download_leaves_nothing(interruption: type[BaseException], cache: Path, listed: Listed) -> None:
    listed(an_asset(Failing(interruption)))
    with pytest.raises(interruption):
        locate("made-up")
    assert drafts(cache) == []
    listed(an_asset(Giving(CONTENTS)))
    assert locate("made-up").is_dir()  # the lock is free


def test_a_full_disk_is_said(cache: Path, listed: Listed) -> None:
    listed(an_asset(Failing(lambda: OSError(errno.ENOSPC, "No space left on device")), Giving(CONTENTS)))
    with pytest.raises(AssetError, match=r"0 MB.*full disk"):
        locate("made-up")
    assert drafts(cache) == []


def test_a_cache_that_cannot_be_written_is_said(
    listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    listed(an_asset(Giving(CONTENTS)))
    with pytest.raises(AssetError, match="XDG_CACHE_HOME"):
        locate("made-up")


def test_waiting_for_another_process_ends(cache: Path, listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenexp.assets.cache.LONGEST_WAIT_S", 0.1)
    listed(an_asset(Giving(CONTENTS)))
    (cache / "made-up").mkdir(parents=True)
    with FileLock(cache / "made-up" / ".lock"), pytest.raises(AssetError, match="another process"):
        locate("made-up")


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from made_assets import CONTENTS, an_asset, write
from greenexp.assets import ASSETS, locate

class Slow:
    def fetch(self, files, into):
        with open({log!r}, "a") as log:
            log.write("asked\\n")
        (into / files[0].name).write_bytes(CONTENTS[files[0].name])
        time.sleep({pause_s})
        write(into)
    def __str__(self):
        return "slow"

ASSETS["made-up"] = an_asset(Slow())
print(locate("made-up"))
"""


def start(log: Path, pause_s: float) -> subprocess.Popen[str]:
    code = textwrap.dedent(SLOW).format(tests=str(Path(__file__).parent), log=str(log), pause_s=pause_s)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def wait_for(log: Path) -> None:
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_two_processes_at_once_fetch_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [start(log, pause_s=1.0) for _ in range(2)]
    found = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(found) == 1
    assert log.read_text() == "asked\n"


def test_a_killed_process_leaves_no_lock_and_what_it_left_goes(cache: Path, listed: Listed, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(log, pause_s=60)
    wait_for(log)
    process.kill()
    process.communicate(timeout=60)
    assert drafts(cache) != []
    listed(an_asset(Giving(CONTENTS)))
    assert find("made-up") is None
    assert locate("made-up").is_dir()
    assert drafts(cache) == []


def test_an_asset_goes_to_a_node_that_has_no_network(
    listed: Listed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(an_asset(Giving(CONTENTS)))
    files = pack("made-up")
    assert files == CONTENTS
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "node"))
    listed(an_asset(Failing(offline)))
    folder = install("made-up", files)
    assert folder.is_relative_to(tmp_path / "node")
    assert locate("made-up") == install("made-up", {}) == folder


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config.json": CONTENTS["config.json"]}, "weights.bin"),
        ({**CONTENTS, "weights.bin": b"other"}, "weights.bin.*5 bytes"),
    ],
)
def test_what_arrives_damaged_is_not_installed(
    files: dict[str, bytes], message: str, cache: Path, listed: Listed
) -> None:
    listed(an_asset(Failing(offline)))
    with pytest.raises(AssetError, match=message):
        install("made-up", files)
    assert find("made-up") is None
    assert drafts(cache) == []


def test_new_hashes_get_a_folder_of_their_own(listed: Listed) -> None:
    old = locate(listed(an_asset(Giving(CONTENTS))).name)
    renamed = {"config2.json": CONTENTS["config.json"]}
    from made_assets import described

    listed(Asset("made-up", "", "", "", described(renamed), (Giving(renamed),)))
    assert locate("made-up") != old
    assert old.is_dir()


def test_a_file_is_hashed_once_per_process(listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = locate(listed(an_asset(Giving(CONTENTS))).name)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("hashed again"))
    assert locate("made-up") == folder
    assert cache.find("made-up") == folder
