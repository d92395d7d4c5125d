"""How results are printed: findings of a study, tables and JSON on stdout; notes and warnings on stderr.

May not enter: computing, and anything that reads a source. Commands hand over data and layouts.
"""
