"""From runs to a fit: solve, uncertainty, checks."""

from allometry.fitting.checks import check
from allometry.fitting.result import (
    Draws,
    Estimate,
    Finding,
    Fit,
    FitData,
    FitStatus,
    Forecast,
    Optimum,
    Severity,
    Starts,
)
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap

__all__ = [
    "Draws",
    "Estimate",
    "Finding",
    "Fit",
    "FitData",
    "FitStatus",
    "Forecast",
    "Optimum",
    "Severity",
    "Starts",
    "bootstrap",
    "check",
    "fit",
]
