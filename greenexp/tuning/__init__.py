"""Running a plan: the only door to Ray.

`conductor` decides who runs next and what a report means, without Ray; `replay` rebuilds the scheduler from the
journal; `worker` is the actor that trains; `bridge` fits the conductor to Ray Tune's searcher and scheduler
interfaces; `cluster` starts and stops Ray; `run` puts them together. MLflow may not enter.
"""
