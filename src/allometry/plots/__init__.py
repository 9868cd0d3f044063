"""Charts of runs, fits, forecasts and plans: nouns in, Altair charts out."""

from allometry.plots.along import data_transferred, scores_along_axis
from allometry.plots.attempts import (
    accuracy_against_tokens,
    best_of_many,
    pass_against_attempts,
    training_against_attempts,
    votes_against_answers,
)
from allometry.plots.chains import task_forecasts
from allometry.plots.changes import what_would_change
from allometry.plots.comparisons import fan_of_laws, held_out_errors, multiplier_against_compute
from allometry.plots.designs import planned_runs
from allometry.plots.emergence import emergence_chart
from allometry.plots.families import component_against_compute, target_by_ends
from allometry.plots.fits import exponent_cloud, law_slices, predicted_against_measured, residuals
from allometry.plots.forecasts import forecast_and_outcome
from allometry.plots.horizons import horizons_over_time
from allometry.plots.inputs import growth_of_inputs
from allometry.plots.isoflop import compute_optimal_frontier, iso_flop_profiles
from allometry.plots.joint import score_against_size
from allometry.plots.pictures import save_picture
from allometry.plots.plans import loss_against_params, optimum_against_compute
from allometry.plots.prices import prices_over_time
from allometry.plots.progress import halving_by_form
from allometry.plots.runs import learning_rate_checks, loss_against_compute, loss_against_tokens
from allometry.plots.sample_efficiency import tokens_to_target
from allometry.plots.sensitivity import by_choice, forecast_by_floor, shift_by_run
from allometry.plots.spending import least_loss
from allometry.plots.transfer import learning_rate_transfer
from allometry.plots.trends import outlook_chart, trend_chart
from allometry.plots.triangles import equal_loss_lines, trade_at_equal_loss
from allometry.plots.walls import doublings_to_walls

__all__ = [
    "accuracy_against_tokens",
    "best_of_many",
    "by_choice",
    "component_against_compute",
    "compute_optimal_frontier",
    "data_transferred",
    "doublings_to_walls",
    "emergence_chart",
    "equal_loss_lines",
    "exponent_cloud",
    "fan_of_laws",
    "forecast_and_outcome",
    "forecast_by_floor",
    "growth_of_inputs",
    "halving_by_form",
    "held_out_errors",
    "horizons_over_time",
    "iso_flop_profiles",
    "law_slices",
    "learning_rate_checks",
    "learning_rate_transfer",
    "least_loss",
    "loss_against_compute",
    "loss_against_params",
    "loss_against_tokens",
    "multiplier_against_compute",
    "optimum_against_compute",
    "outlook_chart",
    "pass_against_attempts",
    "planned_runs",
    "predicted_against_measured",
    "prices_over_time",
    "residuals",
    "save_picture",
    "score_against_size",
    "scores_along_axis",
    "shift_by_run",
    "target_by_ends",
    "task_forecasts",
    "tokens_to_target",
    "trade_at_equal_loss",
    "training_against_attempts",
    "trend_chart",
    "votes_against_answers",
    "what_would_change",
]
