"""Answers for what comes from outside: examples as JSON, and a small HTTP service over the engine.

`inputs` says what one example looks like, `app` is the service (its limits in `limits`, its counters in `metrics`),
`server` runs it. In here: reading requests, refusing what is too much, putting answers into JSON. Not in here: the
engine and its batches (the room above), files, the terminal. To add an endpoint: a route in `app`, its path in
`metrics.PATHS`, a test in tests/inference.
"""
