"""Import this before NumPy: linear algebra on one thread, so that CPU times compare procedures."""

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
