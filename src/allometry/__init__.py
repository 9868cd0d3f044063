"""allometry: measure how a model family scales, forecast what is not trained yet, be scored on it.

The names below are the front page; each is imported when it is first used, so that
`import allometry` costs nothing and an analyst needs no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allometry import architectures, errors, laws, recipe
    from allometry.architectures import Architecture, Transformer
    from allometry.errors import AllometryError
    from allometry.fitting.checks import check
    from allometry.fitting.comparison.laws import compare
    from allometry.fitting.comparison.recipes import multiplier
    from allometry.fitting.frontier.approaches import three_approaches
    from allometry.fitting.frontier.envelope import envelope
    from allometry.fitting.frontier.isoflop import iso_flop
    from allometry.fitting.likelihood import likelihood_interval
    from allometry.fitting.posterior import posterior
    from allometry.fitting.result import Finding, Fit, Forecast
    from allometry.fitting.solve import fit
    from allometry.fitting.uncertainty import bootstrap, profile
    from allometry.forecasts.register import read_register, register
    from allometry.forecasts.scoring import score
    from allometry.lab.loop import train
    from allometry.laws.definition import Coefficient, Law, law
    from allometry.planning.allocation import Plan, allocate
    from allometry.recipe import Recipe
    from allometry.report.writing import write_report
    from allometry.runs.importers.table import describe_mapping, read_runs
    from allometry.runs.run import Run, Runs
    from allometry.runs.study import Study
    from allometry.sweeps.designs import Grid, Ladder
    from allometry.sweeps.running import run_sweep

_HOME = {
    "AllometryError": "allometry.errors",
    "Architecture": "allometry.architectures",
    "Coefficient": "allometry.laws.definition",
    "Finding": "allometry.fitting.result",
    "Fit": "allometry.fitting.result",
    "Forecast": "allometry.fitting.result",
    "Grid": "allometry.sweeps.designs",
    "Ladder": "allometry.sweeps.designs",
    "Law": "allometry.laws.definition",
    "Plan": "allometry.planning.allocation",
    "Recipe": "allometry.recipe",
    "Run": "allometry.runs.run",
    "Runs": "allometry.runs.run",
    "Study": "allometry.runs.study",
    "Transformer": "allometry.architectures",
    "allocate": "allometry.planning.allocation",
    "bootstrap": "allometry.fitting.uncertainty",
    "check": "allometry.fitting.checks",
    "compare": "allometry.fitting.comparison.laws",
    "describe_mapping": "allometry.runs.importers.table",
    "envelope": "allometry.fitting.frontier.envelope",
    "fit": "allometry.fitting.solve",
    "iso_flop": "allometry.fitting.frontier.isoflop",
    "law": "allometry.laws.definition",
    "likelihood_interval": "allometry.fitting.likelihood",
    "multiplier": "allometry.fitting.comparison.recipes",
    "posterior": "allometry.fitting.posterior",
    "profile": "allometry.fitting.uncertainty",
    "read_register": "allometry.forecasts.register",
    "read_runs": "allometry.runs.importers.table",
    "register": "allometry.forecasts.register",
    "run_sweep": "allometry.sweeps.running",
    "score": "allometry.forecasts.scoring",
    "three_approaches": "allometry.fitting.frontier.approaches",
    "train": "allometry.lab.loop",
    "write_report": "allometry.report.writing",
}
_MODULES = ("architectures", "errors", "laws", "recipe")

__all__ = [
    "AllometryError",
    "Architecture",
    "Coefficient",
    "Finding",
    "Fit",
    "Forecast",
    "Grid",
    "Ladder",
    "Law",
    "Plan",
    "Recipe",
    "Run",
    "Runs",
    "Study",
    "Transformer",
    "allocate",
    "architectures",
    "bootstrap",
    "check",
    "compare",
    "describe_mapping",
    "envelope",
    "errors",
    "fit",
    "iso_flop",
    "law",
    "laws",
    "likelihood_interval",
    "multiplier",
    "posterior",
    "profile",
    "read_register",
    "read_runs",
    "recipe",
    "register",
    "run_sweep",
    "score",
    "three_approaches",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"allometry.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'allometry' has no attribute '{name}'; see allometry.__all__")


def __dir__() -> list[str]:
    return sorted(__all__)
