"""Laws of training on repeated data."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Coefficient, Input, law
from allometry.laws.mathematics import exp, least, log

# No run has so few repeats: it stands for none, because the logarithm of 0 does not exist.
_NO_REPEATS = 1e-30


def _discounted(excess: Any, constant: Any) -> Any:
    """Logarithm of what 1 + excess is worth when each unit of excess is worth less than the one before."""
    return log(1 + constant * (1 - exp(-excess / constant)))


def _constant(name: str, meaning: str, unit: str, typical: float) -> Coefficient:
    return Coefficient(
        name=name, meaning=meaning, unit=unit, low=1.0, high=100.0, bounds=(1e-3, 1e6), typical=typical
    )


@law(
    reads=("params", "tokens", "unique_tokens"),
    # Form and typical values (C4): the authors' code, huggingface/datablations, README, "Parametric Fit".
    source="Muennighoff et al. 2023, arXiv:2305.16264",
    coefficients=(
        floor("irreducible loss: what no size and no data removes", typical=1.8691436),
        scale(
            "A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=520.8256
        ),
        scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=1487.6939),
        exponent("alpha", "how fast size pays", typical=0.3526596),
        exponent("beta", "how fast data pays", typical=0.3526596),
        _constant(
            "RD", "repeats after which a repeated token is worth 1/e of a fresh one", "repeat", 15.387756
        ),
        _constant(
            "RN", "excess sizes after which an excess parameter is worth 1/e of a useful one", "1", 5.309743
        ),
    ),
)
def data_constrained(
    N: Any, D: Any, U: Any, *, E: Any, A: Any, B: Any, alpha: Any, beta: Any, RD: Any, RN: Any
) -> Any:
    """Repeated tokens, and parameters beyond what the unique tokens can use, count for less and less.

    It is `chinchilla` with D' = U + U·RD·(1 - exp(-repeats/RD)) for D, where repeats = D/U - 1, and N' made
    from N in the same way, where the size that the U unique tokens can use is the compute-optimal one of the
    same coefficients. Nothing is repeated in one epoch. The loss never rises with more epochs; for that see
    `additive_overfitting`.

    Seven coefficients ask for runs that vary size, epochs and unique tokens. With fewer, fit `chinchilla` on
    runs of one epoch first and hold its five coefficients, as Muennighoff et al. did.

    Their 8.7e9 parameters on 178e9 tokens of which 25e9 are unique, and the better smaller model:

    >>> sizes = {"params": [8.67e9, 6.34e9], "tokens": [178e9, 242e9], "unique_tokens": 25e9}
    >>> data_constrained.evaluate(sizes, data_constrained.typical).round(4).tolist()
    [2.227, 2.2256]
    """
    # In logarithms, because SymPy then derives it in half the time.
    unique = log(least(U, D))
    data = unique + _discounted(exp(log(D) - unique) - 1, RD)
    # Compute-optimal: one more FLOP gains as much by size as by data, alpha·A/N^alpha = beta·B/D^beta.
    usable = least(log(N), (log(alpha * A / (beta * B)) + beta * unique) / alpha)
    size = usable + _discounted(exp(log(N) - usable) - 1, RN)
    return E + A * exp(-alpha * size) + B * exp(-beta * data)


@law(
    # So many repeats, and parameters per unique token, as cost no more than the loss itself.
    reads=(
        "params",
        Input(name="tokens", low=2e9, high=1e11),
        Input(name="unique_tokens", low=1e9, high=2e10),
    ),
    source="Lovelace et al. 2026, arXiv:2605.01640",
    coefficients=(
        floor("irreducible loss: what no size and no data removes", typical=1.8172),
        scale(
            "A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=477.84
        ),
        scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=2143.9),
        # Ordinary: with it some eight epochs are best where there are as many parameters as unique tokens.
        scale(
            "P",
            "loss added by one repeat with as many parameters as unique tokens",
            "nat/token",
            typical=0.02,
        ),
        exponent("alpha", "how fast size pays", typical=0.3473),
        exponent("beta", "how fast data pays", typical=0.3672),
        exponent("delta", "how fast the penalty grows with repeats", typical=1.0),
        exponent("kappa", "how fast the penalty grows with parameters per unique token", typical=1.0),
    ),
)
def additive_overfitting(
    N: Any,
    D: Any,
    U: Any,
    *,
    E: Any,
    A: Any,
    B: Any,
    P: Any,
    alpha: Any,
    beta: Any,
    delta: Any,
    kappa: Any,
) -> Any:
    """Repeated tokens count in full, and a penalty grows with repeats and with parameters per unique token.

    It is `chinchilla` plus P·repeats^delta·(N/U)^kappa, where repeats = D/U - 1, so that ever more epochs
    raise the loss in the end. The form with the one coefficient P is `hold={"delta": 1, "kappa": 1}`.

    A billion parameters on a billion unique tokens, repeated 4, 8 and 16 times:

    >>> epochs = {"params": 1e9, "tokens": [4e9, 8e9, 16e9], "unique_tokens": 1e9}
    >>> additive_overfitting.evaluate(epochs, additive_overfitting.typical).round(2).tolist()
    [2.87, 2.81, 2.86]
    """
    repeats = -least(1 - D / U, -_NO_REPEATS)
    return E + A / N**alpha + B / D**beta + P * repeats**delta * (N / U) ** kappa


__test__ = {entry.name: entry.description for entry in (data_constrained, additive_overfitting)}
