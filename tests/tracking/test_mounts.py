"""SQLite on a network file system is refused, told by the table of mounts."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
from small_sweeps import tiny_journal
from told import tells

from greenexp.api.running import _check_address
from greenexp.errors import TrackingError
from greenexp.records.sections import Tracking
from greenexp.tracking import mounts
from greenexp.tracking.mounts import mount_of
from greenexp.tracking.server import default_uri, prepare
from greenexp.tracking.sync import sync

TABLE = r"""
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
22 27 0:21 / /proc rw,relatime - proc proc rw
30 27 0:40 / /data rw,relatime shared:7 - nfs4 filer:/export/data rw,vers=4.2
31 30 0:41 / /data/me/scratch rw shared:8 master:2 - ext4 /dev/sdb rw
32 27 0:42 / /far/a\040b rw - fuse.sshfs host:/export rw
33 27 0:43 / /far/windows rw - cifs //server/share rw
34 27 0:44 / /big rw - lustre 10.0.0.1@tcp:/big rw
35 27 0:45 / /container rw - fuse.fuse-overlayfs fuse-overlayfs rw
36 27 0:46 / /twice rw - ext4 /dev/sdc rw
37 27 0:47 / /twice rw - nfs filer:/over rw
38 27 0:48 / /cloud rw - fuse JuiceFS:volume rw
39 27 0:49 / /usb rw - fuseblk /dev/sdd1 rw
a row of another kernel
"""


@pytest.mark.parametrize(
    ("path", "point", "shared"),
    [
        ("/local/out/mlflow.db", "/", False),
        ("/data/me/out/mlflow.db", "/data", True),
        ("/data", "/data", True),
        ("/datasets/me/mlflow.db", "/", False),
        ("/data/me/scratch/mlflow.db", "/data/me/scratch", False),
        ("/far/a b/out/mlflow.db", "/far/a b", True),
        ("/far/windows/mlflow.db", "/far/windows", True),
        ("/big/mlflow.db", "/big", True),
        ("/container/mlflow.db", "/container", False),
        ("/twice/mlflow.db", "/twice", True),
        ("/cloud/mlflow.db", "/cloud", True),
        ("/usb/mlflow.db", "/usb", False),
    ],
)
def test_the_mount_of_the_longest_part_of_a_path(path: str, point: str, shared: bool) -> None:
    found = mount_of(PurePosixPath(path), TABLE)
    assert found is not None
    assert (str(found.point), found.shared) == (point, shared)


def test_a_table_that_says_nothing() -> None:
    assert mount_of(PurePosixPath("/a"), "") is None


@pytest.fixture
def on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the table has on NFS."""
    (folder := tmp_path / "shared").mkdir()
    (tmp_path / "table").write_text(f"{TABLE}40 27 0:50 / {folder} rw - nfs4 filer:/shared rw\n", encoding="utf-8")
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "table")
    return folder


def test_a_database_there_is_refused_and_not_made(on_nfs: Path, tmp_path: Path) -> None:
    tiny_journal(on_nfs)
    with pytest.raises(TrackingError) as caught:
        prepare(default_uri(on_nfs), "x")
    assert tells(str(caught.value), f"{on_nfs / 'mlflow.db'} … nfs4 at {on_nfs} … mlflow server … postgresql:// … sync")
    (tmp_path / "link").symlink_to(on_nfs)
    with pytest.raises(TrackingError, match="nfs4"):
        sync(tmp_path / "link")
    assert not list(on_nfs.glob("*.db"))


def test_a_run_is_refused_before_it_starts(on_nfs: Path, tmp_path: Path) -> None:
    def plan(**tracking: object) -> object:
        return SimpleNamespace(spec=SimpleNamespace(name="smoke", tracking=Tracking.model_validate(tracking)))

    with pytest.raises(TrackingError, match="nfs4"):
        _check_address(plan(), on_nfs / "out" / "smoke")  # type: ignore[arg-type]
    for allowed in ({"enabled": False}, {"uri": "http://host"}, {"uri": f"sqlite:///{tmp_path}/local.db"}):
        _check_address(plan(**allowed), on_nfs)  # type: ignore[arg-type]


def test_where_there_is_no_table_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "none")
    mounts.refuse_network_file(tmp_path / "mlflow.db")
