"""The command line: composes the rooms; the only place that prints.

One file per command. Results go to stdout, progress to stderr. A command imports the rooms it needs inside its
function, so that `greenexp --help` starts neither torch nor Ray nor MLflow. To add one: `cli/<name>.py` with a click
command of that name, and a line in `main.COMMANDS`.
"""
