"""What a plan is made from: a law with its coefficients and draws, and what is known of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from allometry.errors import FitError, InputError
from allometry.fitting.prediction import NO_DRAWS, PROBABILITIES, noise_points
from allometry.fitting.result import Estimate, Fit, FitStatus, tails
from allometry.fitting.scales import invert, transform
from allometry.laws import Law, chinchilla, data_constrained
from allometry.laws.definition import Scale
from allometry.planning.data_limits import RepeatedLaw
from allometry.planning.published import PublishedFit, published_fit
from allometry.planning.slopes import Turned, slope, turned
from allometry.planning.surfaces import Surface, five_numbers
from allometry.units import show_count

Array = NDArray[np.float64]
AnyArray = Array | Turned

_PLANNED = {"params", "tokens"}
_STOCK = "unique_tokens"
# Muennighoff et al. 2023, C4: what repeats are worth where no own runs have measured it.
_REPEATS = {name: data_constrained.typical[name] for name in ("RD", "RN")}


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """A law of params and tokens with one set of coefficients for the fit and one for each draw.

    Attributes:
        names: Column to the law's own name for it.
        coefficients: Name to values, of shape (sets,): the fitted ones first.
        on, noise: Scale of the fit, and equally likely differences of one new run on it; of a published law
            none is known, and its ranges are those of the law alone.
        largest: Column to the largest fitted value.
        no_draws: Why there are no draws; empty where there are.
        notes: What was assumed on the way, in sentences.
        others: As of a `Plan`.
    """

    law: Law
    names: Mapping[str, str]
    coefficients: Mapping[str, Array]
    on: Scale
    noise: Array
    largest: Mapping[str, float]
    output: str
    unit: str
    conventions: Mapping[str, str]
    source: str
    fit_hash: str
    data_hash: str
    status: FitStatus | None
    no_draws: str
    notes: tuple[str, ...] = field(default=())

    @property
    def sets(self) -> int:
        """How many sets of coefficients there are."""
        return len(next(iter(self.coefficients.values())))

    def loss(self, params: Array, tokens: Array, stock: float = np.inf) -> Array:
        """Predicted loss; sizes and tokens of shape (sets,), or of any shape where there is one set."""
        if self.law.has_form_of(chinchilla):  # a closed form: nothing has to be derived for a plan
            with np.errstate(all="ignore"):
                return Surface(**self.coefficients, unit=self.unit, name=self.law.name).loss(params, tokens)
        return self.law.evaluate(self._read(params, tokens, stock), self.coefficients)

    def gains(self, params: Array, tokens: Array, stock: float = np.inf) -> tuple[Array, Array]:
        """By how much the loss falls for each unit of the logarithm of size, and of data."""
        return tuple(
            -slope(self.law, self._read(size, data, stock), self.coefficients)
            for size, data in ((turned(params), tokens), (params, turned(tokens)))
        )  # type: ignore[return-value]

    def _read(self, params: AnyArray, tokens: AnyArray, stock: float) -> dict[str, AnyArray]:
        columns = {"params": params, "tokens": tokens, _STOCK: np.minimum(stock, tokens)}
        return {name: columns[column] for column, name in self.names.items()}

    def fitted(self) -> Basis:
        """The fitted coefficients alone, without the draws."""
        return replace(self, coefficients={name: values[:1] for name, values in self.coefficients.items()})

    def surface(self) -> Surface:
        """The law as five numbers.

        Raises:
            FitError: If it is no floor plus a power of params plus a power of tokens.
        """
        five = five_numbers(self.coefficients, self.law)
        if five is None:
            raise FitError(
                f"Law '{self.law.name}' is no floor plus a power of params plus a power of tokens, which "
                "this plan needs; fit 'chinchilla', 'chinchilla_tied' or 'data_constrained'."
            )
        return Surface(**five, unit=self.unit, name=f"{self.law.name} on {self.source}")

    def repeated(self) -> RepeatedLaw:
        """The law with what repeats are worth: its own, else published constants beside its five numbers.

        Raises:
            FitError: If it is of a shape that no published constants belong to.
        """
        if _STOCK in self.names:
            columns = {name: values[:, None] for name, values in self.coefficients.items()}
            return RepeatedLaw(law=self.law, coefficients=columns, unit=self.unit)
        surface = self.surface()
        numbers = {name: getattr(surface, name) for name in ("E", "A", "B", "alpha", "beta")}
        constants = {name: np.full(self.sets, value) for name, value in _REPEATS.items()}
        columns = {name: values[:, None] for name, values in {**numbers, **constants}.items()}
        return RepeatedLaw(law=data_constrained, coefficients=columns, unit=self.unit)

    def with_repeats(self, stock: float) -> Basis:
        """The same basis, able to say what repeated tokens are worth.

        Raises:
            FitError: As of `repeated`.
        """
        if _STOCK in self.names:
            return self
        law = self.repeated()
        note = (
            f"The law knows no repeats: beyond {show_count(stock)} unique tokens they count as in "
            "Muennighoff et al. 2023 (arXiv:2305.16264), RD = 15.4 and RN = 5.3, taken as certain."
        )
        return replace(
            self,
            law=law.law,
            names={one: one for one in (*sorted(_PLANNED), _STOCK)},
            coefficients={name: values[:, 0] for name, values in law.coefficients.items()},
            notes=(*self.notes, note),
        )

    def weighing(self, weight: float) -> Basis:
        """The law of tokens that are worth so many of its own each: B becomes B / weight^beta.

        That weighs repeats too: D' of `data_constrained` is in proportion to tokens and distinct tokens.

        Raises:
            FitError: If the law has no such term.
        """
        if weight == 1:
            return self
        if not any(self.law.has_form_of(one) for one in (chinchilla, data_constrained)):
            raise FitError(
                f"What weighted tokens are worth by law '{self.law.name}' is not known; fit 'chinchilla' or "
                "'data_constrained', or plan with unique_tokens instead of a stock."
            )
        owed = self.coefficients["B"] * weight ** -self.coefficients["beta"]
        return replace(self, coefficients={**self.coefficients, "B": owed})

    def outcome(self, loss_sets: Array, level: float) -> tuple[Estimate, dict[float, float], str]:
        """What a new run will measure where the sets predict so much: estimate, quantiles, and why not."""
        point, curve = float(loss_sets[0]), transform(self.on, loss_sets[1:])
        outcomes = invert(self.on, curve[:, None] + self.noise[None, :])
        lost = int(np.sum(~np.isfinite(outcomes).all(axis=1)))
        why = self.no_draws or (f"{lost} of {curve.size} draws have no finite value there" if lost else "")
        if why:
            return Estimate(value=point, low=np.nan, high=np.nan, unit=self.unit), {}, why
        ends = tails(level)
        low, middle, high, *others = np.quantile(outcomes, (ends[0], 0.5, ends[1], *PROBABILITIES)).tolist()
        estimate = Estimate(value=middle, low=low, high=high, unit=self.unit)
        return estimate, dict(zip(PROBABILITIES, others, strict=True)), ""

    def beyond(self, params: float, tokens: float) -> dict[str, float]:
        """Column to the factor by which a run exceeds the largest fitted one."""
        run = {"params": params, "tokens": tokens, "flops": 6 * params * tokens}
        return {column: run[column] / most for column, most in self.largest.items() if column in run}


def basis_of(fit: Fit | PublishedFit | str) -> Basis:
    """The basis of a fit, of a published fit, or of a published fit's name.

    Raises:
        FitError: If the law does not read params and tokens.
        UnknownName: If no published fit has that name.
    """
    if isinstance(fit, str):
        return _of_published(published_fit(fit.removeprefix("published:")))
    if isinstance(fit, PublishedFit):
        return _of_published(fit)
    if not isinstance(fit, Fit):
        raise InputError(
            f"A plan needs a fit, or the name of a published law such as 'besiroglu_2024'; not {fit!r}."
        )
    return _of_fit(fit)


def _of_fit(fit: Fit) -> Basis:
    names = {column: name for name, column in fit.inputs.items()}
    if set(names) - {_STOCK} != _PLANNED:
        raise FitError(
            f"Law '{fit.law.name}' reads {', '.join(sorted(names))}; a plan of size and data needs a law "
            "that reads params and tokens and nothing else, for example 'chinchilla'."
        )
    drawn = {} if fit.draws is None else {n: fit.draws[n].to_numpy(dtype=np.float64) for n in fit.law.names}
    fitted = {column: fit.data.inputs[name] for column, name in names.items()}
    compute = 6 * fitted["params"] * fitted["tokens"]
    most = {column: float(values.max()) for column, values in fitted.items()}
    return Basis(
        law=fit.law,
        names=names,
        coefficients={n: np.append(fit.coefficients[n], drawn.get(n, [])) for n in fit.law.names},
        on=fit.on,
        noise=noise_points(fit),
        largest={**most, "flops": float(compute.max())},
        output=fit.output,
        unit=fit.unit,
        conventions=fit.conventions,
        source=fit.source,
        fit_hash=fit.fit_hash,
        data_hash=fit.data_hash,
        status=fit.status,
        no_draws="" if drawn else NO_DRAWS,
    )


def _of_published(fit: PublishedFit) -> Basis:
    ends = {name: getattr(fit.fitted, name)[1] for name in ("params", "tokens", "flops")}
    return Basis(
        law=fit.law,
        names={name: name for name in fit.law.reads},
        coefficients=fit.sets(),
        on=fit.law.on,
        noise=np.zeros(1) if fit.ranges else np.empty(0),
        largest={name: end for name, end in ends.items() if np.isfinite(end)},
        output=fit.law.predicts,
        unit="nat/token",
        conventions={"params_convention": fit.params_convention},
        source=f"{fit.name} ({fit.source})",
        fit_hash="",
        data_hash="",
        status=None,
        no_draws=fit.no_ranges_because(),
        notes=tuple(_said_of(fit)),
    )


def _said_of(fit: PublishedFit) -> Iterator[str]:
    yield f"Its loss is that of {fit.loss_of}: no loss of another text or tokenizer."
    if fit.notes:
        yield fit.notes
    if fit.ranges is not None:
        yield fit.ranges.sentence()
        yield f"For ranges that the runs themselves give, with the noise of a run, fit {fit.runs}."
