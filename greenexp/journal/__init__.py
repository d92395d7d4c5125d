"""The journal: the only durable state of a sweep. Append, read, replay; the budget ledger.

No torch, Ray or MLflow. `kinds` defines what events hold, `lines` checks them, `file` writes and reads them, `state`
replays them, `budget` adds up what was used, `tables` turns them into `SweepTables`. To record something new: add a
kind to `kinds.KINDS`, handle it in `state`.
"""
