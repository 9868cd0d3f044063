"""Make a stored fit again, and say whether it comes out the same to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from allometry.errors import InputError
from allometry.fitting.result import Draws, Fit
from allometry.fitting.search import refit
from allometry.fitting.uncertainty import bootstrap


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A stored fit against the same fit made now.

    Attributes:
        stored, again: Name to value; the objective is among them.
        draws: Draws that were made again; 0 if the fit has none.
        largest_draw_difference: Relative, over all draws and coefficients.
    """

    stored: Mapping[str, float]
    again: Mapping[str, float]
    draws: int
    largest_draw_difference: float

    @property
    def identical(self) -> bool:
        """Whether every digit agrees, of coefficients, objective and draws."""
        return dict(self.stored) == dict(self.again) and self.largest_draw_difference == 0

    def describe(self) -> str:
        """The comparison in words."""
        draws = f", and of {self.draws} draws" if self.draws else ""
        if self.identical:
            return f"Identical: every digit of {', '.join(self.stored)}{draws}."
        lines = ["Not identical; another version of NumPy or another kind of processor rounds differently:"]
        lines += [
            f"  {name}: stored {value!r}, again {self.again[name]!r}"
            for name, value in self.stored.items()
            if self.again[name] != value
        ]
        if self.largest_draw_difference:
            lines.append(f"  draws differ by up to {self.largest_draw_difference:.2g} of their value")
        return "\n".join(lines)


def reproduce(fit: Fit) -> Reproduction:
    """Search again from the stored runs, objective, starts and seed, and draw the same resamples.

    Raises:
        InputError: If the draws are not those of a bootstrap.
    """
    again = refit(fit)
    count, difference = 0, 0.0
    if fit.drawn is not None:
        again = _redrawn(again, fit.drawn)
        count, difference = fit.drawn.count, _difference(fit, again)
    return Reproduction(
        stored={**fit.coefficients, "objective": fit.objective_value},
        again={**again.coefficients, "objective": again.objective_value},
        draws=count,
        largest_draw_difference=difference,
    )


def _redrawn(again: Fit, drawn: Draws) -> Fit:
    if drawn.resampling == "posterior":
        raise InputError(
            "This fit holds a posterior, whose priors are stored as words only; make it again with "
            "posterior(fit, priors=..., seed=...)."
        )
    return bootstrap(
        again,
        draws=drawn.count,
        unit=drawn.unit,
        strata=drawn.strata,
        seed=drawn.seed,
        resampling=drawn.resampling,
        starts=drawn.starts,
    )


def _difference(fit: Fit, again: Fit) -> float:
    one, other = (part.draws.to_numpy(dtype=np.float64) for part in (fit, again) if part.draws is not None)
    if one.shape != other.shape:
        return float("inf")
    return float(np.max(np.abs(one - other) / np.maximum(np.abs(one), 1e-300), initial=0.0))
