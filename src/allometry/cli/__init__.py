"""The command line: one function a command; each calls the library and shows what it says.

Exit codes: 0 done; 1 done, but some runs failed or a refit differs; 2 something given is wrong; 3 refused, as
the data cannot carry the request; 130 stopped by Ctrl-C.
"""

from allometry.cli import (  # each registers its own
    capability,
    capability_attempts,
    capability_axes,
    capability_emergence,
    catalogs,
    counting,
    experiments,
    fits,
    judging,
    planning,
    planning_trades,
    studies,
    study_files,
    study_judged,
    training,
    trend,
    trend_prices,
    trend_walls,
)
from allometry.cli.application import app, main, run

__all__ = [
    "app",
    "capability",
    "capability_attempts",
    "capability_axes",
    "capability_emergence",
    "catalogs",
    "counting",
    "experiments",
    "fits",
    "judging",
    "main",
    "planning",
    "planning_trades",
    "run",
    "studies",
    "study_files",
    "study_judged",
    "training",
    "trend",
    "trend_prices",
    "trend_walls",
]
