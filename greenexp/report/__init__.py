"""The show-your-work report: `SweepTables` in, files out (HTML, Markdown, LaTeX, CSV).

`sections/` decides what is said, `html`, `markdown` and `latex` how it is written down; `foreign` is the report about
runs of other programs. May not enter: torch, Ray, MLflow, a statistic or a drawing of its own. To add a section: one
file in `sections/` and its place in that folder's `__init__`.
"""

from greenexp.report.contents import report_sections
from greenexp.report.render import FORMATS, render_report
from greenexp.report.runs.foreign import Question, render_runs_report

__all__ = ["FORMATS", "Question", "render_report", "render_runs_report", "report_sections"]
