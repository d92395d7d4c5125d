"""The front door: what the command line, the dashboard, a notebook and the rest of Python call.

`statistics` and `comparisons` ask a study about scores of any source; `sweeps` runs and opens sweeps; `models` replays
exit policies, and loads, times and hands in trained models, which `serving` serves. Every function has its arguments
by name, and returns data: `Findings`, which show themselves in a notebook, typed results, or paths. May not enter:
printing, click, and Ray and MLflow themselves. To add a function: in the file of its subject, with one line of purpose,
then arguments, units, what is raised, and the study that it calls.
"""
