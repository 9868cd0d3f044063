"""What can be wrong with a fit: each check is a small function that finds nothing or says it in words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from allometry.fitting.checks import definition, design, form, records, residuals, search, stability
from allometry.fitting.checks.definition import Check, worst_first
from allometry.fitting.result import Finding, Fit, Forecast
from allometry.registry import Catalog

FAR = 10.0  # factor beyond the largest run from which a forecast is a leap

CHECKS: Catalog[Check] = Catalog(
    "check",
    {
        one.code: one
        for one in (
            *search.CHECKS, *form.CHECKS, *design.CHECKS, *records.CHECKS, *residuals.CHECKS,
            *stability.CHECKS,
        )
    },
)  # fmt: skip


def check(fit: Fit) -> list[Finding]:
    """Run all checks on a fit, worst first; an empty list means that none found anything.

    >>> import numpy as np, pandas as pd
    >>> from allometry.fitting.solve import fit
    >>> from allometry.runs.run import Runs
    >>> flops = np.geomspace(1e15, 1e19, 12)
    >>> runs = Runs(pd.DataFrame({"flops": flops, "loss": 2 + 400 * flops**-0.15}))
    >>> [found.code for found in check(fit("power_law_with_floor", runs, inputs={"x": "flops"}))]
    ['single_seed']
    """
    # What only the making of the draws could see, such as walkers that have not settled, is kept.
    carried = [found for found in fit.findings if found.code not in CHECKS]
    return worst_first([*carried, *_found(fit, CHECKS.values())])


def quick_findings(fit: Fit) -> list[Finding]:
    """The checks that need no refit; a fit carries these."""
    return _found(fit, (one for one in CHECKS.values() if one.quick))


def check_forecast(forecast: Forecast) -> list[Finding]:
    """How far a forecast goes beyond the runs it is made from."""
    outside = {column: factor for column, factor in forecast.beyond.items() if factor > FAR}
    findings = []
    if outside:
        column, factor = max(outside.items(), key=lambda pair: pair[1])
        findings.append(
            definition.warning(
                "far_forecast",
                f"This forecast is at {factor:.3g} times the largest {column} that was fitted "
                f"({np.log10(factor):.1f} decades beyond). Its interval assumes that the law holds there.",
                f"Train a rung in between, so that {column} is within {FAR:g} times of the data.",
                dict(outside),
            )
        )
    if not np.isfinite(forecast.low):
        findings.append(
            definition.warning(
                "no_interval",
                f"This forecast has no interval: {forecast.no_interval_because}.",
                "Make draws with bootstrap(fit) and predict again.",
            )
        )
    return findings


def _found(fit: Fit, checks: Iterable[Check]) -> list[Finding]:
    return worst_first(one.find(fit) for one in checks)
