"""What a user got wrong about a model is said before torch and transformers, which take seconds, are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_served_models import write_sweep

RUN = """\
import sys
from greenexp.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as leaving:
    print(*{"torch", "transformers"} & set(sys.modules), end="")
    raise
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("made") / "out" / "tiny")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("predict nowhere", "nowhere"),
        ("predict out/tiny --trial c001-i0", "'c001-i"),
        ("predict out/tiny --policy max_probabilty", "'max_probability'"),
        ("predict out/tiny --policy max_probability:high", "threshold"),
        ("predict out/tiny --policy entropy:normalized=true", "'normalised'"),
        ("predict out/tiny --speed-up 50", "at most"),
        ("predict out/tiny --input absent", "absent"),
        ("serve out/tiny --port 0 --policy max_probabilty", "'max_probability'"),
        ("serve out/tiny --max-queue 3", "max_queue"),
        ("bench out/tiny --latency absent/times.json", "absent"),
        ("bench out/tiny --policy max_probabilty", "'max_probability'"),
        ("submit out/tiny", "'clauses'"),
    ],
)
def test_it_is_said_without_torch(sweep: Path, arguments: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments.split()],
        cwd=sweep.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
