"""Where things come from: a sweep's folder, an MLflow address, a file, a data frame -> `SweepTables` or `Scores`.

`scores` reads any source of scores into the one typed table `Scores`, in the view a study needs; `tables` reads a sweep
into `SweepTables`; `folders` says which folder is meant, `recorded` and `checkpoints` which trials and which model.
Each mistake about a source has one message, here. May not enter: torch, Ray, and MLflow except through
`tracking`; nothing here prints or computes a statistic. To add a kind of source: one file, and its line in `scores`.
"""
