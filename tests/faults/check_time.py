"""Seconds that the check of all nodes takes before a sweep starts: `check_time.py SWEEP ADDRESS`, on a node."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from greenexp.plan import make_plan
from greenexp.spec import load_sweep
from greenexp.tuning.cluster import ray_cluster


def main() -> None:
    """Print one number."""
    plan = make_plan(load_sweep(Path(sys.argv[1])))
    resources = plan.spec.resources
    shape = {name: getattr(resources, name) for name in ("workers", "cpus_per_trial", "gpus_per_trial")}
    with ray_cluster(**shape, address=sys.argv[2]):
        from greenexp.tuning.nodes import check_nodes

        began = time.monotonic()
        check_nodes(plan)
        print(f"{time.monotonic() - began:.1f}")


if __name__ == "__main__":
    main()
