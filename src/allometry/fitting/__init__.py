"""From runs to a fit: solve, uncertainty, checks; laws and recipes compared; the frontier without a law."""

from allometry.fitting.checks import check, check_forecast
from allometry.fitting.comparison.laws import Comparison, compare
from allometry.fitting.comparison.recipes import Multiplier, multiplier
from allometry.fitting.default_priors import describe_priors
from allometry.fitting.frontier.disagreement import check_disagreement, disagreement
from allometry.fitting.frontier.envelope import EnvelopeFit, envelope
from allometry.fitting.frontier.isoflop import IsoFlopFit, iso_flop
from allometry.fitting.likelihood import likelihood_interval
from allometry.fitting.posterior import posterior
from allometry.fitting.priors import HalfCauchy, LogNormal, LogUniform, Normal, Uniform
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
    "Comparison",
    "Draws",
    "EnvelopeFit",
    "Estimate",
    "Finding",
    "Fit",
    "FitData",
    "FitStatus",
    "Forecast",
    "HalfCauchy",
    "IsoFlopFit",
    "LogNormal",
    "LogUniform",
    "Multiplier",
    "Normal",
    "Optimum",
    "Severity",
    "Starts",
    "Uniform",
    "bootstrap",
    "check",
    "check_disagreement",
    "check_forecast",
    "compare",
    "describe_priors",
    "disagreement",
    "envelope",
    "fit",
    "iso_flop",
    "likelihood_interval",
    "multiplier",
    "posterior",
    "profile",
]
