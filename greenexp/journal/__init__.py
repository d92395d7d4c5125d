"""The journal: the only durable state of a sweep. Append, read, replay; the budget ledger.

No torch, Ray or MLflow. `file` writes and reads the lines, `state` replays them, `budget` adds up what was used,
`tables` turns them into `SweepTables`. To record something new: add a kind to `events.KINDS`, handle it in `state`.
"""
