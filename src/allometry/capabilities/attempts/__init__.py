"""Repeated attempts at a set of problems: counts, pass@k, and forecasts of it for more attempts."""

from allometry.capabilities.attempts.counts import Counts, read_counts
from allometry.capabilities.attempts.forecasting import FormForecast, PassForecast, forecast_pass
from allometry.capabilities.attempts.forms import FORMS, SuccessFit, fit_success
from allometry.capabilities.attempts.line import PassLine, fit_line
from allometry.capabilities.attempts.passing import pass_at, pass_curve

__all__ = [
    "FORMS",
    "Counts",
    "FormForecast",
    "PassForecast",
    "PassLine",
    "SuccessFit",
    "fit_line",
    "fit_success",
    "forecast_pass",
    "pass_at",
    "pass_curve",
    "read_counts",
]
