"""Run a sweep, and open what it has recorded."""

from __future__ import annotations

from pathlib import Path

from greenexp.api.planning import Overrides, SweepSource
from greenexp.api.sweeps import Sweep
from greenexp.api.watching import Watcher
from greenexp.extras import require


def run(
    sweep: SweepSource = "smoke",
    *,
    out: str | Path | None = None,
    resume: bool = False,
    fresh: bool = False,
    set: Overrides = (),  # noqa: A002 - the command line's word
    address: str | None = None,
    open_cluster: bool = False,
    ship: bool = False,
    measured_in: str | Path | None = None,
    calibrate: bool = False,
    watch: Watcher | None = None,
) -> Sweep:
    """Run a sweep, to its end, to a limit of its budget, or to the first Ctrl-C; its report lies in its folder.

    >>> import greenexp
    >>> changes = {"search.samples": 2, "training.epochs": 2, "scheduler": {"name": "fifo"}}
    >>> sweep = greenexp.run("smoke", out=folder, set=changes)
    >>> sweep.status.state
    'finished'

    Parameters
    ----------
    sweep : path, name, mapping or SweepSpec, default "smoke"
        A sweep file, the name of a sweep that comes with greenexp, or a sweep made in Python.
    out : path, optional
        The results folder, `out/NAME` by default.
    resume : bool, default False
        Go on with the sweep in the results folder, also after a crash.
    fresh : bool, default False
        Put the sweep in the results folder aside and begin anew.
    set : mapping or sequence of str, default ()
        Fields of the sweep to change: dotted path -> value, or `path=value` as on the command line.
    address : str, optional
        Of a running Ray cluster, which is joined with its token. By default a private Ray is started on this machine.
    open_cluster : bool, default False
        Join the cluster though it lets in clients without a token: everybody who can reach it may run code on it.
    ship : bool, default False
        Send to the cluster's nodes the plug-ins that other packages provide here, with their code.
    measured_in : path or str, optional
        Where sweeps are on record from which the price in time and energy follows, as of `greenexp.plan`.
    calibrate : bool, default False
        Measure the speed of what no sweep on record has trained here before it begins, as `greenexp.plan` does.
    watch : Watcher, optional
        Told of every event; nothing is printed.

    Returns
    -------
    Sweep
        The recorded sweep; `sweep.status` says how it ended.

    Raises
    ------
    SweepFileError
        With all problems of the sweep.
    InputError
        For a folder that holds another sweep, and for what this machine cannot do.
    StateError
        Where the journal cannot be trusted or written; what it holds is safe.

    """
    require()
    from greenexp.api.running import RunOptions, run_sweep

    folder = None if out is None else Path(out)
    options = RunOptions(
        folder,
        resume=resume,
        fresh=fresh,
        address=address,
        open_cluster=open_cluster,
        ship=ship,
        measured_in=measured_in,
        calibrate=calibrate,
    )
    return Sweep(run_sweep(sweep, set, options, watch or Watcher()).folder)
