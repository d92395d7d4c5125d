"""ELUE's score: the mean height of operating points over a named baseline's line, its comparison with seeds, its board.

In here: `line` (the baseline's line), `score`, `study` (lines of several seeds against a line), `board` (averages and
tracks), `check` (what a submission's rows say and cost). Files are read by `greenexp.sources.elue`.
"""
