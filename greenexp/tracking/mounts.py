"""Which file system a file lies on, by Linux's table of mounts: SQLite needs one whose locks hold on every machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from greenexp.errors import TrackingError

TABLE = Path("/proc/self/mountinfo")
NETWORK = frozenset({
    "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs",
    "panfs", "pvfs2", "smb2", "smb3", "smbfs", "wekafs",
})  # fmt: skip
"""Types of file systems that several machines may have mounted at the same time."""
NETWORK_FUSE = frozenset({
    "beegfs", "blobfuse", "blobfuse2", "ceph", "ceph-fuse", "curlftpfs", "cvmfs", "davfs2", "dfuse", "gcsfuse",
    "geesefs", "glusterfs", "goofys", "gvfsd-fuse", "juicefs", "JuiceFS", "mfs", "mount-s3", "mountpoint-s3", "rclone",
    "s3fs", "seaweedfs", "smbnetfs", "sshfs",
})  # fmt: skip
"""The same of those that a program serves: their type in the table is `fuse.NAME`, or `fuse`, and NAME the source."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A row of the table. kind: type of the file system; source: what is mounted, in the words of its driver."""

    point: PurePosixPath
    kind: str
    source: str

    @property
    def shared(self) -> bool:
        """Whether other machines may write to it at the same time."""
        program = self.kind.partition(".")[2] if self.kind.startswith("fuse.") else ""
        if self.kind in {"fuse", "fuseblk"}:
            program = self.source.partition(":")[0].partition("#")[0]
        return self.kind in NETWORK or program in NETWORK_FUSE


def mount_of(path: PurePosixPath, table: str) -> Mount | None:
    """The mount that an absolute path lies on: that of the longest part of it, and of several there the last one.

    table: the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)); rows that are not understood are left out
    """
    found: Mount | None = None
    for row in table.splitlines():
        left, _, right = row.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if len(before) < 6 or len(after) < 2:
            continue
        mount = Mount(PurePosixPath(_plain(before[4])), after[0], _plain(after[1]))
        longest = found is None or len(mount.point.parts) >= len(found.point.parts)
        if longest and path.is_relative_to(mount.point):
            found = mount
    return found


def refuse_network_file(file: Path) -> None:
    """TrackingError for a SQLite file on a network file system; where the table cannot be read nothing is refused."""
    file = file.resolve()
    file.parent.exists()  # what is mounted on demand is in the table from now on
    try:
        mount = mount_of(PurePosixPath(file), TABLE.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return
    if mount is not None and mount.shared:
        raise TrackingError(
            f"{file} lies on a network file system ({mount.kind} at {mount.point}), whose locks SQLite cannot rely on: "
            "the database may be damaged. Record at a server (`tracking.uri: http://HOST:PORT` of an `mlflow server`, "
            "or postgresql://USER@HOST/DATABASE), or in a file on a local disk (sqlite:////PATH/mlflow.db), or set "
            "`tracking.enabled: false` and write MLflow later with `greenexp sync DIR --uri ADDRESS`"
        )


def _plain(text: str) -> str:
    """The table has spaces and other signs as octal numbers."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
