"""Sweeps as tables are made by `made_sweeps`, in the tests of analysis."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))
