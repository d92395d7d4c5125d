"""The command line with the search of the tests that learns: `python -m climbing_greenexp run ...`."""

from __future__ import annotations

from climb import Climb

from greenexp.cli.main import main
from greenexp.searches import SEARCHES

if __name__ == "__main__":
    SEARCHES.add("climb", Climb)
    main()
