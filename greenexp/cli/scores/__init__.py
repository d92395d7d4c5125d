"""Commands about scores of any source, `curve`, `compare`, `seeds`, `front` and `simulate`: options in, findings out.

One file per command, and one for what it prints of each table (`*_layout`). May not enter: computing; a command parses
its options, calls `api` or a study, and prints.
"""
