"""How the chance of success may be distributed over problems, and its fit to counts by likelihood.

Given a problem's chance p, its successes in n attempts are binomial; nothing observed at c = 0 is then no
infinite logarithm, only a chance that may be anything from zero up to about 1 / n. Every distribution is a
set of weights on one grid in logit p, so that all share the code of likelihood, posterior and forecast.

Legend of shapes: t sets of coefficients, g grid places, u distinct counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, gammaln, log_expit

from allometry.capabilities.attempts.counts import Counts
from allometry.errors import UnknownName, did_you_mean

Array = npt.NDArray[np.float64]
STEP = 0.07
LOGIT_G = np.arange(-40.0, 12.0, STEP)
LOG_P_G, LOG_Q_G = log_expit(LOGIT_G), log_expit(-LOGIT_G)
_NEVER = 1e-300


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """A family of distributions of the chance of success over problems.

    Attributes:
        coefficients: Name to the values at which the posterior is taken, all of equal prior weight.
        density: From arrays of coefficients, of shape (t, 1), to weights on the grid, (t, g), before they
            are scaled to 1.
        says: What it assumes about the hardest problems.
    """

    name: str
    coefficients: Mapping[str, Array]
    density: Callable[..., Array]
    says: str
    source: str

    @property
    def inflated(self) -> bool:
        """Whether some problems may never be solved."""
        return "zero" in self.coefficients

    def weights(self, *values: npt.ArrayLike) -> tuple[Array, Array]:
        """Weights on the grid, of shape (t, g), and the share of problems that are never solved, (t,)."""
        columns = [np.atleast_1d(np.asarray(value, dtype=np.float64))[:, None] for value in values]
        never = columns.pop()[:, 0] if self.inflated else np.zeros(len(columns[0]))
        logs = self.density(*columns)
        heights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return heights / heights.sum(axis=1, keepdims=True), never


def _beta(a: Array, b: Array) -> Array:
    logs = _with_tail(a * LOG_P_G + b * LOG_Q_G, a)
    logs[:, -1:] -= np.log(-np.expm1(-b * STEP))  # and all mass above it at its last
    return logs


def _scaled_beta(a: Array, b: Array, scale: Array) -> Array:
    share = np.exp(LOG_P_G) / scale
    inside = share < 1
    upper = np.log1p(-np.where(inside, share, 0.0))
    return _with_tail(np.where(inside, a * LOG_P_G + (b - 1) * upper + LOG_Q_G, -np.inf), a)


def _logit_normal(centre: Array, spread: Array) -> Array:
    return -0.5 * ((LOGIT_G - centre) / spread) ** 2


def _with_tail(logs: Array, a: Array) -> Array:
    """All mass below the grid, a geometric series in its steps, stands at its first place."""
    added = np.zeros_like(logs)
    added[:, :1] = -np.log(-np.expm1(-a * STEP))
    return logs + added


_A = np.geomspace(0.02, 5, 30)
_SOURCE = "Schaeffer et al. 2025, arXiv:2502.17578"
FORMS: Mapping[str, Form] = MappingProxyType({
    form.name: form
    for form in (
        Form(
            name="beta",
            coefficients={"a": np.geomspace(0.02, 5, 45), "b": np.geomspace(0.1, 1000, 35)},
            density=_beta,
            says="ever harder problems, in a power tail; all are solved in the end",
            source=_SOURCE,
        ),
        Form(
            name="scaled_beta",
            coefficients={
                "a": _A,
                "b": np.geomspace(0.3, 30, 10),
                "scale": np.array([1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02, 0.01]),
            },
            density=_scaled_beta,
            says="a power tail, and no problem easier than a limit",
            source=_SOURCE,
        ),
        Form(
            name="zero_inflated_beta",
            coefficients={
                "a": _A,
                "b": np.geomspace(0.1, 1000, 22),
                "zero": np.array([0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]),
            },
            density=_beta,
            says="a share of the problems is never solved, however many attempts",
            source="this package: pass@k then ends below 1",
        ),
        Form(
            name="logit_normal",
            coefficients={"centre": np.linspace(-14, 2, 40), "spread": np.geomspace(0.2, 8, 30)},
            density=_logit_normal,
            says="a tail that ends faster than any power",
            source="this package: the lightest tail in common use",
        ),
    )
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class SuccessFit:
    """The distribution of one form that makes the counts most likely.

    Attributes:
        coefficients: Of the form.
        log_likelihood: Of the counts, binomial coefficients included.
        pass_limit: pass@k for endless k: 1 less the share of problems that are never solved.
    """

    form: str
    coefficients: Mapping[str, float]
    log_likelihood: float
    pass_limit: float

    @property
    def aic(self) -> float:
        """Akaike's criterion: the smaller the better."""
        return 2 * len(self.coefficients) - 2 * self.log_likelihood

    def pass_at(self, k: npt.ArrayLike) -> Array:
        """Expected pass@k over problems such as these."""
        weights, never = FORMS[self.form].weights(*self.coefficients.values())
        ks = np.atleast_1d(np.asarray(k, dtype=np.float64))
        return np.asarray((1 - never) * (solved_by(ks) @ weights[0])).reshape(np.shape(k))


def fit_success(counts: Counts, form: str = "beta") -> SuccessFit:
    """Fit the distribution of the chance of success over problems by maximum likelihood.

    Args:
        form: A name in `FORMS`.

    Raises:
        UnknownName: If it is not.

    >>> found = fit_success(Counts.of([100] * 6, [0, 0, 1, 5, 20, 60]))
    >>> print(f"{found.coefficients['a']:.2f}")
    0.24
    """
    family = named_form(form)
    pairs, repeats = distinct(counts)
    likelihood_gu = likelihood(pairs).T
    columns, logs, _ = tabulated(family.name, pairs)
    start = columns[:, int((logs @ repeats).argmax())]
    inward, outward = _scales(family)

    def misfit(working: Array) -> float:
        weights, never = family.weights(*outward(working))
        return -float(_mixed(weights @ likelihood_gu, never, pairs)[0] @ repeats)

    found = minimize(misfit, inward(start), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6})
    values = outward(found.x)
    coefficients = dict(zip(family.coefficients, map(float, values), strict=True))
    return SuccessFit(
        form=form,
        coefficients=coefficients,
        log_likelihood=-float(found.fun),
        pass_limit=1 - coefficients.get("zero", 0.0),
    )


def named_form(name: str) -> Form:
    """A form by name.

    Raises:
        UnknownName: If there is none of that name.
    """
    if name not in FORMS:
        raise UnknownName(
            f"No form is called '{name}'; there are {', '.join(FORMS)}.{did_you_mean(name, FORMS)}"
        )
    return FORMS[name]


def distinct(counts: Counts) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Distinct (n, c), of shape (u, 2), and how many problems have each, (u,)."""
    pairs = np.stack([counts.attempts, counts.successes], axis=1)
    found, repeats = np.unique(pairs, axis=0, return_counts=True)
    return found, repeats


def likelihood(pairs_u2: npt.NDArray[np.int64]) -> Array:
    """Binomial probability of each distinct count at each place of the grid, of shape (u, g)."""
    n, c = (pairs_u2[:, [place]].astype(np.float64) for place in (0, 1))
    choose = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    return np.asarray(np.exp(choose + c * LOG_P_G + (n - c) * LOG_Q_G))


def solved_by(k: Array) -> Array:
    """Chance of a success in k attempts at each place of the grid, of shape (k, g)."""
    return np.asarray(-np.expm1(k[:, None] * LOG_Q_G))


def tabulated(form: str, pairs_u2: npt.NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """A form at all its tabulated coefficients.

    Returns:
        Coefficients (coefficients, t), log-likelihood of each distinct count (t, u), share never solved (t,).
    """
    columns, weights, never = _table(form)
    repeated = len(never) // len(weights)
    mixed = np.repeat(weights @ likelihood(pairs_u2).T, repeated, axis=0)
    return columns, _mixed(mixed, never, pairs_u2), never


def tabulated_weights(form: str, places: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Weights on the grid and share never solved, at some of the tabulated coefficients."""
    _, weights, never = _table(form)
    return weights[places // (len(never) // len(weights))], never[places]


@lru_cache(maxsize=len(FORMS))
def _table(form: str) -> tuple[Array, Array, Array]:
    """Coefficients (coefficients, t), weights of each but the share never solved, share never solved (t,)."""
    family = FORMS[form]
    columns = np.array(list(product(*family.coefficients.values()))).T
    inner = len(family.coefficients["zero"]) if family.inflated else 1  # varies fastest: the last one named
    weights, _ = family.weights(*columns[:, ::inner])
    never = columns[-1] if family.inflated else np.zeros(columns.shape[1])
    return columns, weights, never


def _mixed(likelihood_tu: Array, never_t: Array, pairs_u2: npt.NDArray[np.int64]) -> Array:
    """Log-likelihood of each distinct count where a share of the problems is never solved."""
    unsolved = (pairs_u2[:, 1] == 0).astype(np.float64)
    mixed = (1 - never_t[:, None]) * likelihood_tu + never_t[:, None] * unsolved
    return np.asarray(np.log(np.maximum(mixed, _NEVER)))


def _scales(family: Form) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """To and from working coefficients without bounds: logarithms, logits for shares, centres as they are."""
    shares = np.array([name in ("zero", "scale") for name in family.coefficients])
    plain = np.array([name == "centre" for name in family.coefficients])

    def inward(natural: Array) -> Array:
        inside = np.clip(natural, 1e-3, 1 - 1e-3)
        logs = np.log(np.where(plain, 1.0, np.maximum(natural, 1e-12)))
        return np.where(plain, natural, np.where(shares, np.log(inside / (1 - inside)), logs))

    def outward(working: Array) -> Array:
        positive = np.exp(np.clip(working, -7, 12))
        return np.where(plain, working, np.where(shares, expit(working), positive))

    return inward, outward
