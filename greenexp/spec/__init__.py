"""The sweep file: what a user may write, read with the place of every word.

Here: YAML 1.2 with line and column, `--set`, the frozen pydantic models of the sections, the checks across them, the
JSON schema for editors, the resolved file. Not here: anything that knows a plug-in (names and fields of tasks,
backbones, heads, methods and schedulers are checked by `greenexp.plan`), torch, Ray, MLflow.

To add a field: add it to its section in `sections.py`, to `docs/sweep-file.md`, and, if it depends on another field, a
check to `checks.py`.
"""

from greenexp.records.sections import Component
from greenexp.records.sweep_spec import SweepSpec
from greenexp.spec.document import Document, load_sweep
from greenexp.spec.resolved import dump_resolved, resolved
from greenexp.spec.schema import json_schema

__all__ = ["Component", "Document", "SweepSpec", "dump_resolved", "json_schema", "load_sweep", "resolved"]
