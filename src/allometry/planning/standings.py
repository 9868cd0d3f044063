"""Where a run stands among the runs of equal loss: how it was balanced, and what holds it back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from allometry.errors import InputError
from allometry.fitting.result import Estimate, Fit
from allometry.planning.basis import Basis, basis_of
from allometry.planning.published import PublishedFit
from allometry.planning.quantities import ranged, stated
from allometry.planning.stocked import Stocked
from allometry.planning.surfaces import Array, Surface, by_the_draws, estimate_of, probability
from allometry.units import show_count, show_power

NEAR = 0.005  # share of compute wasted up to which a run is called compute-optimal; see `standing`


class Standing(StrEnum):
    """How a run was balanced against the runs of equal loss."""

    OPTIMAL = "compute-optimal"
    UNDERTRAINED = "undertrained"  # too large for its tokens: more tokens on a smaller model cost less
    OVERTRAINED = "over-trained"  # too many tokens for its size: cheaper to serve, dearer to train


class Limit(StrEnum):
    """What holds a run back."""

    DATA = "data-limited"  # its distinct tokens are used up: more tokens are repeats
    COMPUTE = "compute-limited"  # in balance, with data left: only more compute lowers its loss
    TOKENS = "limited by its tokens"  # undertrained with fresh tokens left
    SIZE = "limited by its size"  # over-trained with fresh tokens left


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a run stands on the surface.

    Attributes:
        params, tokens: The run.
        unique_tokens: Distinct tokens there are for it; None where they are no limit.
        loss: Predicted for it, repeats counted for what they are worth.
        standing: How it was balanced, in a word.
        probability: Share of the draws that say the same word.
        compute_ratio: Its compute over the least that reaches its loss with the same distinct tokens.
        params_ratio: Its size over that of least compute at its loss.
        size_owes: Share of the reducible loss that more size alone could remove; the rest is data's.
        by_params, by_tokens, by_flops: Elasticity of the loss: percent it falls for one percent more of each,
            compute spent along the optimum.
        by_unique_tokens: The same for the distinct tokens there are; 0 where they are no limit.
        limit: What holds it back.
        notes: What was assumed on the way, in sentences.
    """

    params: float
    tokens: float
    unique_tokens: float | None
    loss: Estimate
    standing: Standing
    probability: float
    compute_ratio: Estimate
    params_ratio: Estimate
    size_owes: Estimate
    by_params: Estimate
    by_tokens: Estimate
    by_flops: Estimate
    by_unique_tokens: Estimate
    limit: Limit
    level: float
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """The position in plain words."""
        return "\n".join(_sentences(self))


def standing(
    fit: Fit | PublishedFit | str | Surface,
    *,
    params: float,
    tokens: float,
    unique_tokens: float | None = None,
    level: float = 0.9,
) -> Position:
    """Where a plan or a public model stands among the runs of equal loss.

    A run is called compute-optimal where it spends at most half a percent more compute than the best run of
    its loss. A public model's loss was measured on another text: its position says how it was balanced by
    this law, not what it scored.

    Args:
        params, tokens: The run; repeated tokens are counted each time.
        unique_tokens: Distinct tokens there are for it. Where it or the best run of its loss repeats them,
            they count for less: as the law says, and for one that knows no repeats as Muennighoff et al. 2023
            (arXiv:2305.16264) found.

    Raises:
        InputError: If a number is not above zero, or a bare surface should say what repeats are worth.

    Gopher, 280e9 parameters on 300e9 tokens, and a run that sees 25e9 tokens twenty times:

    >>> gopher = standing("besiroglu_2024", params=280e9, tokens=300e9)
    >>> print(gopher.standing, f"{gopher.compute_ratio.value:.2f}")
    undertrained 2.01
    >>> print(standing("besiroglu_2024", params=7e9, tokens=500e9, unique_tokens=25e9).limit)
    data-limited
    """
    numbers = {"params": params, "tokens": tokens, "unique tokens": unique_tokens}
    for name, value in numbers.items():
        if value is not None:
            stated(value, "1", f"number of {name}")
    law = law_around(fit, params, tokens, unique_tokens)
    loss = law.loss(params, tokens)
    best_size, best_data = law.cheapest(loss)
    waste = params * tokens / (best_size * best_data)
    words = _words(params / best_size, waste)
    by_size, by_data = law.gains(params, tokens)
    by_stock = law.gain_of_stock(params, tokens) if isinstance(law, Stocked) else np.zeros_like(loss)

    def estimate(sets: Array, unit: str = "1") -> Estimate:
        return estimate_of(sets, unit, level)

    return Position(
        params=params,
        tokens=tokens,
        unique_tokens=unique_tokens,
        loss=estimate(loss, law.unit),
        standing=words[0],
        probability=probability(np.array([word is words[0] for word in words])),
        compute_ratio=estimate(waste),
        params_ratio=estimate(params / best_size),
        size_owes=estimate((loss - law.loss(np.inf, tokens)) / (loss - law.E)),
        by_params=estimate(by_size / loss),
        by_tokens=estimate(by_data / loss),
        # At the optimum more compute gains as much by size alone as by the best mixture of both.
        by_flops=estimate(law.gains(best_size, best_data)[0] / loss),
        by_unique_tokens=estimate(by_stock / loss),
        limit=_limit(words[0], tokens, unique_tokens),
        level=level,
        notes=law.notes if isinstance(law, Stocked) else (),
    )


def law_around(
    fit: Fit | PublishedFit | str | Surface,
    params: float,
    tokens: float,
    stock: float | None,
    weight: float = 1.0,
) -> Surface | Stocked:
    """The law as a surface, with its stock where a run or the best one of its loss repeats tokens.

    Args:
        weight: What a token is worth in tokens of the law's own text.

    Raises:
        InputError: If a bare surface should say what repeats are worth.
        FitError: If the law is no floor plus a power of params plus a power of tokens.
    """
    fresh = fit if isinstance(fit, Surface) else _weighed(fit, stock, weight).surface()
    best_data = fresh.cheapest(fresh.loss(params, tokens))[1]
    if stock is None or max(tokens, float(best_data.max())) <= stock:
        return fresh
    if isinstance(fit, Surface):
        raise InputError(
            f"A surface does not know what tokens beyond {show_count(stock)} distinct ones are worth; give "
            "the fit or the published law that it was made from."
        )
    return Stocked.of(_weighed(fit, stock, weight), stock)


def _weighed(fit: Fit | PublishedFit | str, stock: float | None, weight: float) -> Basis:
    basis = basis_of(fit)
    return basis if stock is None or weight == 1 else basis.with_repeats(stock).weighing(weight)


def _words(size_ratio: Array, waste: Array) -> list[Standing]:
    return [
        Standing.OPTIMAL
        if more <= 1 + NEAR
        else (Standing.UNDERTRAINED if ratio > 1 else Standing.OVERTRAINED)
        for ratio, more in zip(size_ratio.tolist(), waste.tolist(), strict=True)
    ]


def _limit(word: Standing, tokens: float, unique_tokens: float | None) -> Limit:
    if unique_tokens is not None and tokens >= unique_tokens:
        return Limit.DATA
    held = {Standing.OPTIMAL: Limit.COMPUTE, Standing.UNDERTRAINED: Limit.TOKENS}
    return held.get(word, Limit.SIZE)


_WHY = {
    Standing.OPTIMAL: "size and data are in balance; only more compute lowers its loss",
    Standing.UNDERTRAINED: "it is too large for its tokens; a smaller model on more tokens costs less",
    Standing.OVERTRAINED: "it has more tokens than its size asks for; that pays where it is served much",
}


def _sentences(place: Position) -> list[str]:
    size, data = show_count(place.params), show_count(place.tokens)
    flops = show_power(6 * place.params * place.tokens)
    least = ranged(place.compute_ratio, "{:.3g}".format)
    slopes = (place.by_params.value, place.by_tokens.value, place.by_flops.value)
    return [
        f"{size} parameters on {data} tokens ({flops} FLOP): {place.standing}, {place.limit}",
        f"  {_why(place)} ({by_the_draws(place.probability)})",
        *_repeats(place),
        f"  takes {least} times the least compute of its loss, at {ranged(place.params_ratio)} of its size",
        f"  size owes {100 * place.size_owes.value:.3g}% of the loss that more of both could remove",
        "  1% more parameters, tokens or compute lowers the loss by {:.2g}, {:.2g} or {:.2g}%".format(
            *slopes
        ),
        *(f"  {note}" for note in place.notes),
    ]


def _why(place: Position) -> str:
    if place.standing is Standing.OPTIMAL and place.limit is Limit.DATA:
        return "size and epochs are in balance for the distinct tokens there are"
    return _WHY[place.standing]


def _repeats(place: Position) -> list[str]:
    if place.unique_tokens is None or place.limit is not Limit.DATA:
        return []
    epochs, stock = place.tokens / place.unique_tokens, show_count(place.unique_tokens)
    gained = place.by_unique_tokens.value
    return [
        f"  {epochs:.3g} epochs of {stock} unique tokens; 1% more of those lowers the loss by {gained:.2g}%"
    ]
