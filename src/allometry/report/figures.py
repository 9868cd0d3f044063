"""Which charts a report shows, as Vega-Lite for the browser."""

from __future__ import annotations

from collections.abc import Iterator

from allometry import plots
from allometry.errors import Refusal
from allometry.fitting import Fit
from allometry.planning.allocation import Plan
from allometry.plots.frames import training_curves
from allometry.report.contents import Contents
from allometry.report.figure import Figure, as_figure
from allometry.report.verdict import shown_forecasts
from allometry.runs.run import Runs


def forecast_figures(contents: Contents) -> list[Figure]:
    """One chart a target."""
    return [
        as_figure(
            plots.forecast_and_outcome(
                stated.forecast, contents.fit_of(stated.forecast), outcome=stated.measured
            )
        )
        for stated in shown_forecasts(contents)
    ]


def figures(contents: Contents) -> list[Figure]:
    """All other charts that the contents allow."""
    return [*_run_figures(contents), *_fit_figures(contents), *_plan_figures(contents)]


def _run_figures(contents: Contents) -> Iterator[Figure]:
    runs, fit = contents.runs, contents.main
    if runs is None:
        return
    columns = {column for column in runs.table.columns if runs.table[column].notna().any()}
    if (fit.output if fit else "loss") not in columns:
        return
    curves = training_curves(contents.study) if contents.study else None  # read once, drawn twice
    if "flops" in columns or {"params", "tokens"} <= columns:
        yield as_figure(plots.loss_against_compute(runs, fit, study=curves))
    if "tokens" in columns:
        yield as_figure(plots.loss_against_tokens(runs, fit, study=curves))
    if _has_checks(runs):
        yield as_figure(plots.learning_rate_checks(runs))


def _has_checks(runs: Runs) -> bool:
    if not {"design", "status", "params", "learning_rate", "loss"} <= set(runs.table.columns):
        return False
    return len(runs.where("design = 'learning_rate_check' AND status = 'done'")) > 0


def _fit_figures(contents: Contents) -> Iterator[Figure]:
    fit = contents.main
    if fit is None:
        return
    for column in reversed(list(fit.inputs.values())):
        yield as_figure(plots.law_slices(fit, column))
    yield as_figure(plots.predicted_against_measured(fit))
    for along in _residual_axes(fit):
        yield as_figure(plots.residuals(fit, along), small=True)
    if fit.draws is not None and len(fit.open) > 1:
        yield as_figure(plots.exponent_cloud(fit))


def _residual_axes(fit: Fit) -> list[str]:
    columns = list(fit.inputs.values())
    compute = ["flops"] if {"params", "tokens"} <= set(columns) and "flops" not in columns else []
    return [*columns, *compute, "order"]


def _plan_figures(contents: Contents) -> Iterator[Figure]:
    for plan in contents.plans:
        fit = next((fit for fit in contents.fits if fit.fit_hash == plan.fit_hash), None)
        if fit is not None:
            yield as_figure(plots.loss_against_params(plan, fit))
            yield from _optimum_figure(fit, plan)


def _optimum_figure(fit: Fit, plan: Plan) -> Iterator[Figure]:
    try:
        yield as_figure(plots.optimum_against_compute(fit, plan))
    except Refusal:  # no optimum at some budget: the plan's own figure has said what can be said
        return
