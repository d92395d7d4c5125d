"""The only door to MLflow: the writer that follows a journal, and the reader that gives `SweepTables` back.

`server` connects and creates, `writer` follows a running sweep from a thread of the driver, `sync` does the same at
once and to the end, `reader` reads. `content` says what belongs into MLflow for a given state of a sweep, `names` what
everything is called there. To log something new: name it in `names`, put it into `content`, read it in `records_of`.

Nothing of Ray may enter, and nothing here is imported by a worker. Importing this room does not import MLflow; that
happens on the first `server.connect`.
"""
