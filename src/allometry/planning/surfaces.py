"""A fitted law as a loss surface over size and data, with one set of coefficients for each draw of the fit.

All laws whose loss is a floor plus a power of parameters plus a power of tokens come down to the same five
numbers. Arrays have the shape (sets,): the fitted coefficients first, then the draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.result import Estimate, Fit, middle, tails
from allometry.laws import Law, chinchilla, chinchilla_tied, data_constrained
from allometry.planning.numbers import require_number, require_share

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """L(N, D) = E + A / N^alpha + B / D^beta, for the fitted coefficients and for each draw.

    Attributes:
        E, A, B, alpha, beta: Of shape (sets,).
        unit: Of the loss.
        name: Whose law it is, for messages.
    """

    E: Array
    A: Array
    B: Array
    alpha: Array
    beta: Array
    unit: str = "nat/token"
    name: str = "law"

    @classmethod
    def of(cls, fit: Fit) -> Surface:
        """The surface of a fit and of its draws.

        Raises:
            FitError: If its law is no floor plus a power of params plus a power of tokens.
        """
        five = five_numbers({name: _stacked(fit, name) for name in fit.law.names}, fit.law)
        if five is None or set(fit.inputs.values()) - {"unique_tokens"} != {"params", "tokens"}:
            raise FitError(
                f"Law '{fit.law.name}' is no floor plus a power of params plus a power of tokens, which this "
                "plan needs; fit 'chinchilla', 'chinchilla_tied' or 'data_constrained'."
            )
        return cls(**five, unit=fit.unit, name=f"{fit.law.name} on {fit.source}")

    @classmethod
    def from_coefficients(cls, coefficients: Mapping[str, float], name: str = "law") -> Surface:
        """The surface of one set of the coefficients E, A, B, alpha and beta.

        >>> law = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
        >>> Surface.from_coefficients(law).loss(280e9, 300e9).round(3)
        array([1.993])
        """
        E, A, B, alpha, beta = (np.array([coefficients[key]]) for key in ("E", "A", "B", "alpha", "beta"))
        return cls(E=E, A=A, B=B, alpha=alpha, beta=beta, name=name)

    def fitted(self) -> Surface:
        """The fitted coefficients alone, without the draws."""
        first = {name: getattr(self, name)[:1] for name in ("E", "A", "B", "alpha", "beta")}
        return replace(self, **first)

    @property
    def size_share(self) -> Array:
        """Share of the reducible loss that size owes at the compute-optimal point, beta / (alpha + beta)."""
        return self.beta / (self.alpha + self.beta)

    def loss(self, params: float | Array, tokens: float | Array) -> Array:
        """Predicted loss."""
        return np.asarray(self.E + self.A * params**-self.alpha + self.B * tokens**-self.beta)

    def gains(self, params: float | Array, tokens: float | Array) -> tuple[Array, Array]:
        """By how much the loss falls for each unit of the logarithm of size, and of data."""
        by_size = self.alpha * self.A * params**-self.alpha
        return np.asarray(by_size), np.asarray(self.beta * self.B * tokens**-self.beta)

    def reducible(self, loss: float | Array) -> Array:
        """Loss above the floor; NaN for draws whose floor is not below the target."""
        above = loss - self.E
        return np.where(above > 0, above, np.nan)

    def params_owing(self, part: Array) -> Array:
        """Size whose own term is so many nats."""
        return np.asarray((self.A / part) ** (1 / self.alpha))

    def tokens_owing(self, part: Array) -> Array:
        """Tokens whose own term is so many nats."""
        return np.asarray((self.B / part) ** (1 / self.beta))

    def tokens_for(self, loss: float, params: float | Array) -> Array:
        """Tokens with which a size reaches a loss; infinite where no amount of data is enough."""
        left = self.reducible(loss) - self.A * params**-self.alpha
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(left > 0, self.tokens_owing(left), np.where(np.isnan(left), np.nan, np.inf))

    def params_for(self, loss: float, tokens: float | Array) -> Array:
        """Size that reaches a loss with so many tokens; infinite where no size is enough."""
        left = self.reducible(loss) - self.B * tokens**-self.beta
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(left > 0, self.params_owing(left), np.where(np.isnan(left), np.nan, np.inf))

    def cheapest(self, loss: float | Array) -> tuple[Array, Array]:
        """Size and tokens of least 6 · params · tokens at a loss, in closed form."""
        above = self.reducible(loss)
        share = self.size_share
        return self.params_owing(above * share), self.tokens_owing(above * (1 - share))

    def best(self, flops: float | Array) -> tuple[Array, Array]:
        """Size and tokens of least loss for 6 · params · tokens (Hoffmann et al. 2022, eq. 4)."""
        scale = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        params = scale * (flops / 6) ** self.size_share
        return params, flops / 6 / params

    def estimate(self, sets: Array, unit: str, level: float) -> Estimate:
        """Value of the fitted coefficients and the range that holds the middle `level` of the draws.

        Draws without an answer count: where they are more than 1 - level of all, there is no range.
        """
        return estimate_of(sets, unit, level)


def estimate_of(sets: Array, unit: str, level: float) -> Estimate:
    """As `Surface.estimate`, for sets of any law."""
    require_share(level=level)
    drawn = sets[1:]
    known = drawn[~np.isnan(drawn)]
    enough = known.size and known.size >= level * drawn.size
    low, high = middle(known, level) if enough else (np.nan, np.nan)
    return Estimate(value=float(sets[0]), low=float(low), high=float(high), unit=unit)


@dataclass(frozen=True, kw_only=True, eq=False)
class LossBands:
    """Losses over a grid of sizes and tokens, with their ranges; all of shape (sizes, tokens)."""

    loss: Array
    low: Array
    high: Array
    level: float


def loss_bands(surface: Surface, params: Array, tokens: Array, *, level: float = 0.9) -> LossBands:
    """The loss of every size with every number of tokens, and the middle `level` of the draws.

    The loss is a sum of one term of size and one of data: the terms are computed once for each draw, and the
    grid row by row, so that memory does not grow with its area.

    Args:
        params, tokens: Of shape (sizes,) and (tokens,).

    Returns:
        Low and high are NaN where there are no draws.

    >>> law = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> loss_bands(Surface.from_coefficients(law), np.array([280e9]), np.array([300e9])).loss.round(3)
    array([[1.993]])
    """
    size = surface.A * params[:, None] ** -surface.alpha  # (sizes, sets)
    data = surface.E[:, None] + surface.B[:, None] * tokens ** -surface.beta[:, None]  # (sets, tokens)
    loss = size[:, :1] + data[0]
    if len(surface.E) == 1:
        none = np.full_like(loss, np.nan)
        return LossBands(loss=loss, low=none, high=none, level=level)
    drawn = np.ascontiguousarray(data[1:].T)  # (tokens, sets): a quantile then runs along neighbours
    ends = [_row_ends(drawn + size[row, 1:], level) for row in range(len(params))]
    low, high = (np.stack(part) for part in zip(*ends, strict=True))
    return LossBands(loss=loss, low=low, high=high, level=level)


def _row_ends(draws: Array, level: float) -> tuple[Array, Array]:
    """Ends of the middle of the draws along the last axis, as `middle` has them."""
    low, high = np.quantile(draws, tails(level), axis=-1, method="weibull", overwrite_input=True)
    return low, high


def probability(sets: NDArray[np.bool_]) -> float:
    """Share of the draws for which something holds; NaN where there are no draws."""
    return float(np.mean(sets[1:])) if len(sets) > 1 else np.nan


def by_the_draws(share: float) -> str:
    """A probability in words, or why there is none.

    >>> by_the_draws(0.93), by_the_draws(float("nan"))
    ('probability 0.93 by the draws', 'no probability because there are no draws')
    """
    return (
        "no probability because there are no draws"
        if np.isnan(share)
        else f"probability {share:.2g} by the draws"
    )


def reachable(surface: Surface, loss: float) -> None:
    """Refuse a loss that is not above the floor.

    Raises:
        InputError: If the fitted coefficients cannot reach it at any size.
    """
    require_number(loss=loss)
    floor = float(surface.E[0])
    if loss == np.inf:
        raise InputError("An endless loss takes no training; ask for a finite one.")
    if not loss > floor:
        raise InputError(
            f"A loss of {loss:g} cannot be reached: the floor of {surface.name} is at {floor:.4g}. "
            "Ask for a loss above it, or fit on better data."
        )


def _stacked(fit: Fit, name: str) -> Array:
    drawn = np.empty(0) if fit.draws is None else fit.draws[name].to_numpy(dtype=np.float64)
    return np.append(fit.coefficients[name], drawn)


def five_numbers(c: Mapping[str, Array], law: Law) -> dict[str, Array] | None:
    """E, A, B, alpha and beta from a law's own coefficients, or None for a law of another shape."""
    if law.name == data_constrained.name or law.has_form_of(chinchilla):
        return {name: c[name] for name in ("E", "A", "B", "alpha", "beta")}
    if law.name == chinchilla_tied.name:
        eta = c["eta"]
        return {"E": c["E"], "A": c["a"] / 6**eta, "B": c["b"] / 6**eta, "alpha": 2 * eta, "beta": 2 * eta}
    return None
