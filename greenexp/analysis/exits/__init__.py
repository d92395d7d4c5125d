"""Exits and exit policies over the trials of a sweep: what each scores, who leaves where, how calibrated it is."""
