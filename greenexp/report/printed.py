"""The page on paper: a PDF by an installed Chromium, which is asked for nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from greenexp.durable import write_whole
from greenexp.errors import InputError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Names of programs, the first that is found on the PATH is used."""
LONGEST_S = 120
_FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer", "--disable-pdf-tagging",
)  # fmt: skip
_OTHERWISE = "open the report in any browser and print it to a file: on paper everything is unfolded"


def browser() -> str:
    """The program that prints. InputError if there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        absent = f"none of {', '.join(BROWSERS)} is installed here"
        raise InputError(f"a report is written as pdf by Chromium, and {absent}; {_OTHERWISE}")
    return found


def write_pdf(page: str, path: Path, program: str) -> Path:
    """Print a page (HTML) to `path`. InputError where the program gives no PDF, with the last that it said."""
    with tempfile.TemporaryDirectory() as scratch:
        source, printed = Path(scratch) / "report.html", Path(scratch) / "report.pdf"
        source.write_text(page, encoding="utf-8", errors="replace")
        own = [f"--user-data-dir={Path(scratch) / 'profile'}", f"--print-to-pdf={printed}", source.as_uri()]
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
        try:
            done = subprocess.run(
                [program, *_FLAGS, *as_root, *own], capture_output=True, text=True, check=False, timeout=LONGEST_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{program} did not print the report ({error}); {_OTHERWISE}") from error
        content = printed.read_bytes() if printed.is_file() else b""
        if not content.startswith(b"%PDF"):
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise InputError(f"{program} did not print the report ({said[:200]}); {_OTHERWISE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return path
