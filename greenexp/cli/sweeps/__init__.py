"""Commands about a sweep, from its plan to its report: `run`, `plan`, `status`, `logs`, `report`, `export`, `sync`.

One file per command, and files for what `run` prints while it works. May not enter: Ray and MLflow themselves.
"""
