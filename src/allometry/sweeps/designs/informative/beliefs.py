"""What is believed of a law before the next runs: draws of its coefficients, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.noise import noise_of
from allometry.fitting.result import Fit
from allometry.fitting.scales import derivatives
from allometry.fitting.starting import start_range
from allometry.laws import Law, Scale

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_DRAWS = 24  # of a fit: the choice of runs hardly changes with more
_PLENTY = 1000  # degrees of freedom of a noise that is stated, not estimated


@dataclass(frozen=True, kw_only=True, eq=False)
class Belief:
    """A law, several places where its coefficients may be, and how well each place is known.

    Legend of shapes: s places, k runs, q open coefficients, p coefficients.

    Attributes:
        columns: The law's input name to column.
        on: The scale on which runs are compared with the law.
        natural: Coefficients of each place, of shape (s, p).
        open: Which coefficients are not held; shape (p,).
        precision: Inverse covariance of the open working coefficients, logarithms of positive ones; shape
            (s, q, q). From the runs so far and a weak prior.
        noise: Standard deviation of one run on the scale of comparison.
        freedom: Degrees of freedom that the noise was estimated with.
    """

    law: Law
    columns: Mapping[str, str]
    on: Scale
    natural: Array
    open: Flags
    precision: Array
    noise: float
    freedom: float

    def slopes(self, inputs: Mapping[str, Array]) -> Array:
        """Exact derivatives of the law, on its scale, with respect to the open working coefficients.

        Args:
            inputs: Column to values, of shape (k,).

        Returns:
            Of shape (s, k, q).

        Raises:
            InputError: If the law reads a column that is not there.
        """
        return _slopes(self.law, _read(self.law, self.columns, inputs), self.natural, self.on)[..., self.open]

    def told(self, slopes_skq: Array) -> Belief:
        """The belief once runs of these slopes have been made, wherever their losses fall."""
        added = np.swapaxes(slopes_skq, 1, 2) @ slopes_skq / self.noise**2
        return replace(self, precision=self.precision + added)


def belief_from_fit(fit: Fit, *, noise: float | None = None, draws: int = _DRAWS) -> Belief:
    """What a fit says: its draws, each with the information of the runs at that place.

    Args:
        noise: Standard deviation of single runs, where repeated seeds have measured it elsewhere; that of the
            fit's own seeds or residuals if None.
        draws: How many of the fit's draws are used; without draws the fitted point alone.

    Raises:
        FitError: If no draw has finite slopes at the runs.
    """
    estimated = noise_of(fit)
    natural = _some_draws(fit, draws)
    weights = fit.data.weights / fit.data.weights.mean()
    slopes = _slopes(fit.law, fit.data.inputs, natural, fit.on) * np.sqrt(weights)[None, :, None]
    usable = np.isfinite(slopes).all(axis=(1, 2))
    if not usable.any():
        raise FitError(f"No draw of '{fit.law.name}' has finite slopes at its own runs; fit it to more runs.")
    opened = np.array([name not in fit.held for name in fit.law.names])
    size = estimated.scale if noise is None else noise
    return Belief(
        law=fit.law,
        columns=fit.inputs,
        on=fit.on,
        natural=natural[usable],
        open=opened,
        precision=_prior(fit.law, opened, int(usable.sum()), fit.data.inputs),
        noise=_above_zero(size),
        freedom=estimated.freedom if noise is None else _PLENTY,
    ).told(slopes[usable][..., opened])


def belief_from_law(
    law: Law,
    *,
    noise: float,
    around: Sequence[Mapping[str, float]] = (),
    columns: Mapping[str, str] | None = None,
) -> Belief:
    """What a law says before any run: its typical coefficients, and its own ranges as a weak prior.

    Args:
        noise: Standard deviation of single runs on the law's scale; 0.005 is usual for a log loss.
        around: Coefficients to believe in instead of the typical ones: published fits, draws.
        columns: The law's input name to column, where they differ.

    Raises:
        InputError: If a coefficient has no typical value and none is given.
    """
    places = [dict(one) for one in around] or [dict(law.typical)]
    missing = [name for name in law.names if any(name not in place for place in places)]
    if missing:
        raise InputError(f"Law '{law.name}' has no typical {', '.join(missing)}: say around which values.")
    inputs = {one.name: np.array([one.low, one.high]) for one in law.inputs}
    opened = np.ones(len(law.names), dtype=np.bool_)
    return Belief(
        law=law,
        columns={name: (columns or {}).get(name, name) for name in law.reads},
        on=law.on,
        natural=np.array([[place[name] for name in law.names] for place in places], dtype=np.float64),
        open=opened,
        precision=_prior(law, opened, len(places), inputs),
        noise=_above_zero(noise),
        freedom=_PLENTY,
    )


def _above_zero(noise: float) -> float:
    if not noise > 0:
        raise InputError(f"The noise of a single run is a standard deviation above zero, not {noise:g}.")
    return float(noise)


def _some_draws(fit: Fit, count: int) -> Array:
    point = np.array([[fit.coefficients[name] for name in fit.law.names]])
    if fit.draws is None:
        return point
    table = fit.draws[list(fit.law.names)].to_numpy(dtype=np.float64)
    rows = np.unique(np.linspace(0, len(table) - 1, min(count, len(table))).round().astype(np.intp))
    return np.asarray(table[rows])


def _read(law: Law, columns: Mapping[str, str], inputs: Mapping[str, ArrayLike]) -> dict[str, Array]:
    missing = [columns[name] for name in law.reads if columns[name] not in inputs]
    if missing:
        raise InputError(
            f"Law '{law.name}' reads {', '.join(missing)}, which the runs to choose from do not say; "
            f"they say {', '.join(inputs)}."
        )
    return {name: np.asarray(inputs[columns[name]], dtype=np.float64) for name in law.reads}


def _slopes(law: Law, inputs: Mapping[str, Array], natural_sp: Array, on: Scale) -> Array:
    coefficients = {name: natural_sp[:, place, None] for place, name in enumerate(law.names)}
    with np.errstate(all="ignore"):  # a wild draw may overflow: its slopes are then not finite
        value = law.evaluate(inputs, coefficients)
        rate, _ = derivatives(on, value)
        first = law.gradient(inputs, coefficients) * np.asarray(rate)[..., None]
    logged = np.array([one.positive for one in law.coefficients])
    return np.asarray(first * np.where(logged, natural_sp, 1.0)[:, None, :])


def _prior(law: Law, opened: Flags, places: int, inputs: Mapping[str, Array]) -> Array:
    """Half the logarithm of a coefficient's start range, or half the range, as its standard deviation."""
    ranges = [(one, start_range(law, one, inputs)) for one in law.coefficients]
    sds = [np.log(high / low) / 2 if one.positive else (high - low) / 2 for one, (low, high) in ranges]
    precision = np.diag(1.0 / np.square(sds))[np.ix_(opened, opened)]
    return np.broadcast_to(precision, (places, *precision.shape)).copy()
