"""From runs to a fit: solve, uncertainty, checks."""

from allometry.fitting.checks import check, check_forecast
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
from allometry.fitting.uncertainty import bootstrap, profile

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
    "check_forecast",
    "fit",
    "profile",
]
