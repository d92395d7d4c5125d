"""What a page shows of one sweep, or of several side by side: curves, configurations, decisions, workers, one trial.

Each file has one study: it takes `SweepTables` and returns `Findings`, whose tables are tidy and in base units. The
table `columns` of each says what the columns of the others are, for the titles of axes. They estimate nothing: what
estimates is in the other sub-rooms. Figures of them are in `figures.views`.
"""
