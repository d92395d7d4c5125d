"""Names for the types of arrays, for every room that calculates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""Real numbers in double precision, of any shape; a docstring says which."""
