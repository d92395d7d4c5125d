"""The command line: parses options, calls `api` or the room below, and prints; the only place that prints.

One file per command, in a sub-room by what a user works on: `sweeps`, `scores`, `models`; `printing` has what they
share. Results go to stdout, progress and notes to stderr. A command imports the rooms it needs inside its function, so
that `greenexp --help` starts neither torch nor Ray nor MLflow. To add one: `cli/<room>/<name>.py` with a click command
of that name, and a line in `main.GROUPS`, which has its one-line description; the docstring has the details.
"""
