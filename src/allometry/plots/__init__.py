"""Charts of runs, fits, forecasts and plans: nouns in, Altair charts out."""

from allometry.plots.fits import exponent_cloud, law_slices, predicted_against_measured, residuals
from allometry.plots.forecasts import forecast_and_outcome
from allometry.plots.pictures import save_picture
from allometry.plots.plans import loss_against_params, optimum_against_compute
from allometry.plots.runs import learning_rate_checks, loss_against_compute, loss_against_tokens

__all__ = [
    "exponent_cloud",
    "forecast_and_outcome",
    "law_slices",
    "learning_rate_checks",
    "loss_against_compute",
    "loss_against_params",
    "loss_against_tokens",
    "optimum_against_compute",
    "predicted_against_measured",
    "residuals",
    "save_picture",
]
